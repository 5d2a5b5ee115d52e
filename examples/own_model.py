"""A model in the lecture's own style: a class that holds its layers and says forward, and backward, by hand.

    python examples/own_model.py
    python examples/own_model.py --leaky

Line for line the lecture's PyTorch program, and where that calls loss_out.backward() the chain rule is written out.
With --leaky the non-linearity is a layer made here, with two methods.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import run, whole

import tinynn


class LeakyReLU(tinynn.Layer):
    """y = x for x > 0, else x / 100: a unit that is off still lets a little gradient through (Maas et al. 2013)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, x / 100)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        return np.where(self.x > 0, dy, dy / 100)


class MultiLayerPerceptron:
    """xdim -> hdim -> ydim."""

    def __init__(self, xdim: int = 784, hdim: int = 256, ydim: int = 10, leaky: bool = False, seed: int = 0) -> None:
        self.lin_1 = tinynn.Affine(xdim, hdim)
        self.relu = LeakyReLU() if leaky else tinynn.ReLU()
        self.lin_2 = tinynn.Affine(hdim, ydim)
        # One vector of parameters and one of gradients, for the optimizer; draws the weights (init_param).
        self.params, self.grads = tinynn.flatten(self.lin_1, self.relu, self.lin_2, seed=seed)
        self.lin_1.needs_dx = False  # nobody reads the gradient of the pixels

    def forward(self, x: np.ndarray) -> np.ndarray:
        net = self.lin_1.forward(x)
        net = self.relu.forward(net)
        net = self.lin_2.forward(net)
        return net

    def backward(self, dy: np.ndarray) -> None:
        """The same layers from the end to the start: each turns dL/dy into dL/dx, and keeps dL/dW and dL/db."""
        dnet = self.lin_2.backward(dy)
        dnet = self.relu.backward(dnet)
        self.lin_1.backward(dnet)


def main(argv: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description="Train a model class of one's own on MNIST.")
    options.add_argument("--epochs", type=whole(1), default=2, metavar="N", help="times through the images (default 2)")
    options.add_argument("--leaky", action="store_true", help="use the layer that is made here")
    args = options.parse_args(argv)

    (x_train, t_train), (x_test, t_test) = tinynn.datasets.load_mnist()
    M = MultiLayerPerceptron(xdim=784, hdim=256, ydim=10, leaky=args.leaky)
    loss = tinynn.SoftmaxCrossEntropy()
    optm = tinynn.Adam(M, lr=1e-3)

    for epoch in range(args.epochs):
        loss_val_sum = 0.0
        n_batches = 0
        for batch_in, batch_out in tinynn.minibatches(x_train, t_train, 256, seed=epoch):
            # 1. input -> output
            y_pred = M.forward(batch_in)
            # 2. the loss
            loss_out = loss.forward(y_pred, batch_out)
            # 3. no zero_grad: backward overwrites the gradients
            # 4. backpropagate
            M.backward(loss.backward())
            # 5. update the weights
            optm.step()
            loss_val_sum += loss_out
            n_batches += 1
        accuracy = tinynn.accuracy(M.forward(x_test), t_test)
        print(f"epoch {epoch + 1}   loss {loss_val_sum / n_batches:.4f}   test accuracy {100 * accuracy:.2f} %")
    return 0


if __name__ == "__main__":
    run(main)
