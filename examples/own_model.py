"""A model and a layer of your own: the lab in the style of PyTorch's, with everything said by hand.

    python examples/own_model.py
    python examples/own_model.py --epochs 10

The comments give the PyTorch line that each part stands for. What differs: here `backward` is written out, too, layer
by layer in the reverse order; and there is no zero_grad, since backward overwrites gradients and never adds to them.
"""

from __future__ import annotations

import sys

import numpy as np
from common import parser, stoppable, whole

import tinynn


class LeakyReLU(tinynn.Activation):
    """y = x where x > 0, else x / 100: a ReLU that is nowhere flat. A layer is these two methods."""

    def forward(self, x):
        return np.where(x > 0, x, x / 100)

    def backward(self, dy):
        return np.where(self.x > 0, dy, dy / 100)  # dL/dx = dL/dy dy/dx; self.x is the last forward's


class Residual(tinynn.Layer):
    """y = x + f(x): a layer that holds layers. x goes two ways, so what comes back on both is added."""

    def __init__(self, *layers):
        self.inner = tinynn.Sequential(*layers)

    def forward(self, x):
        return x + self.inner.forward(x)

    def backward(self, dy):
        return dy + self.inner.backward(dy)


class MultiLayerPerceptron(tinynn.Model):  # class MultiLayerPerceptronClass(nn.Module):
    def __init__(self, xdim=784, hdim=256, ydim=10, activation=tinynn.ReLU, seed=0):
        self.lin_1 = tinynn.Affine(xdim, hdim)  # self.lin_1 = nn.Linear(self.xdim, self.hdim)
        self.relu = activation()
        self.lin_2 = tinynn.Affine(hdim, ydim)  # self.lin_2 = nn.Linear(self.hdim, self.ydim)
        # self.init_param(): draws the weights, Kaiming normal by default, and lays them into one vector, as
        # M.parameters() would list them; the optimizer steps on that.
        self.assemble(seed=seed)

    def forward(self, x):
        net = x
        net = self.lin_1.forward(net)  # net = self.lin_1(net)
        net = self.relu.forward(net)  # net = F.relu(net)
        net = self.lin_2.forward(net)  # net = self.lin_2(net)
        return net  # logits

    def backward(self, dnet):  # autograd's part: the chain rule, from the logits back to the first weights
        dnet = self.lin_2.backward(dnet)
        dnet = self.relu.backward(dnet)
        return self.lin_1.backward(dnet)


class ResidualPerceptron(MultiLayerPerceptron):
    """The same with a block in the middle: layers in attributes, forward and backward by hand."""

    def __init__(self, xdim=784, hdim=256, ydim=10, seed=0):
        self.block = Residual(tinynn.Affine(hdim, hdim), tinynn.ReLU())
        super().__init__(xdim, hdim, ydim, seed=seed)

    def forward(self, x):
        net = self.relu.forward(self.lin_1.forward(x))
        return self.lin_2.forward(self.block.forward(net))

    def backward(self, dnet):
        dnet = self.block.backward(self.lin_2.backward(dnet))
        return self.lin_1.backward(self.relu.backward(dnet))


def train(M, data, epochs):
    (x_train, t_train), (x_test, t_test) = data
    loss = tinynn.SoftmaxCrossEntropy()  # loss = nn.CrossEntropyLoss()
    optm = tinynn.Adam(M, lr=1e-3)  # optm = optim.Adam(M.parameters(), lr=1e-3)

    for epoch in range(epochs):
        loss_val_sum, steps = 0.0, 0
        for batch_in, batch_out in tinynn.minibatches(x_train, t_train, 256, seed=epoch):  # in train_iter:
            y_pred = M.forward(batch_in)  # y_pred = M.forward(batch_in.view(-1, 28*28))
            loss_out = loss.forward(y_pred, batch_out)  # loss_out = loss(y_pred, batch_out)
            M.backward(loss.backward())  # optm.zero_grad(); loss_out.backward()
            optm.step()  # optm.step()
            loss_val_sum, steps = loss_val_sum + loss_out, steps + 1
        test_accuracy = tinynn.accuracy(M(x_test), t_test)  # with torch.no_grad(): M.eval()
        loss_val_avg = loss_val_sum / steps
        print(f"  epoch {epoch + 1}   loss {loss_val_avg:.4f}   test accuracy {100 * test_accuracy:.2f} %", flush=True)


def slope_error():
    """How far LeakyReLU.backward is from the slope that two calls of forward give, [f(x + h) - f(x - h)] / 2h."""
    layer, h = LeakyReLU(), 1e-6
    x = np.random.default_rng(0).normal(size=(100, 10))
    y = layer.forward(x)
    return abs(layer.backward(np.ones_like(y)) - (layer(x + h) - layer(x - h)) / (2 * h)).max()


@stoppable
def main(argv: list[str] | None = None) -> int:
    options = parser("Train a model class of your own, first with ReLU, then with a layer of your own.", pictures=False)
    options.add_argument("--epochs", type=whole(1), default=2, metavar="N", help="times through MNIST (2)")
    args = options.parse_args(argv)

    data = tinynn.datasets.load_mnist()
    print("MultiLayerPerceptron with ReLU")
    train(MultiLayerPerceptron(), data, args.epochs)

    print(f"\nLeakyReLU's backward differs from a measured slope by at most {slope_error():.0e}.")
    print("MultiLayerPerceptron with LeakyReLU")
    train(MultiLayerPerceptron(activation=LeakyReLU), data, args.epochs)

    print("\nResidualPerceptron")
    train(ResidualPerceptron(), data, args.epochs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
