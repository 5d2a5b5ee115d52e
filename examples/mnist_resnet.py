"""The lecture's first picture, trained: a residual network learns to read handwritten digits, 99.46 % of them right.

    python examples/mnist_resnet.py
    python examples/mnist_resnet.py --rows 6000 --epochs 1       a first result in under a minute

Three stages of 16, 32 and 64 channels, each with a block y = f(x) + x of two 3 x 3 convolutions and batch
normalization; the mean over all pixels; 10 scores. Smoothed labels; Adam, whose learning rate rises and falls once;
five epochs of digits that are shifted by up to two pixels. Pictures of the training, the filters, one digit on its way
through the network, and the mistakes go to output/.
"""

from __future__ import annotations

import sys

import numpy as np
from common import make_directory, parser, positive, save, stoppable, whole

import tinynn
from tinynn import Adam, Affine, BatchNorm, Conv2D, GlobalAvgPool, ReLU, Residual, Sequential, SoftmaxCrossEntropy


def block(n_in: int, n_out: int, stride: int) -> Residual:
    """y = f(x) + x; where f changes the shape, a 1 x 1 convolution changes that of x."""
    shortcut = None
    if (n_in, stride) != (n_out, 1):
        shortcut = Sequential(Conv2D(n_in, n_out, 1, stride, bias=False), BatchNorm(n_out))
    return Residual(
        Conv2D(n_in, n_out, 3, stride, padding=1, bias=False), BatchNorm(n_out), ReLU(),
        Conv2D(n_out, n_out, 3, padding=1, bias=False), BatchNorm(n_out),
        shortcut=shortcut,
    )  # fmt: skip


def resnet(shape: tuple[int, int, int], classes: int, backend: str | None, seed: int) -> Sequential:
    """Three stages; images become half as wide and twice as deep from one to the next."""
    return Sequential(
        Conv2D(shape[2], 16, 3, padding=1, bias=False), BatchNorm(16), ReLU(),
        block(16, 16, 1), ReLU(),
        block(16, 32, 2), ReLU(),
        block(32, 64, 2), ReLU(),
        GlobalAvgPool(), Affine(64, classes),
        shape=shape, backend=backend, seed=seed,
    )  # fmt: skip


def scale(x: np.ndarray) -> np.ndarray:
    """Bytes (N, H, W) as images of one channel, from 0, the paper, to 1, the ink."""
    return (x / np.float32(255))[..., None]


class Shifted:
    """The same, each image shifted by up to `most` pixels, in a way of its own: a digit may stand anywhere."""

    def __init__(self, most: int, seed: int) -> None:
        self.most, self.rng = most, np.random.default_rng([seed, 2])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        N, H, W = x.shape
        padded = np.pad(x, ((0, 0), (self.most, self.most), (self.most, self.most)))
        down, right = self.rng.integers(0, 2 * self.most + 1, (2, N, 1, 1))
        rows, columns = down + np.arange(H)[:, None], right + np.arange(W)
        return scale(padded[np.arange(N)[:, None, None], rows, columns])


@stoppable
def main(argv: list[str] | None = None) -> int:
    options = parser("Train a small residual network on MNIST, or on a set stored like it.")
    add = options.add_argument
    add("--epochs", type=whole(1), default=5, metavar="N", help="times through the training images (5)")
    add("--batch-size", type=whole(2), default=128, metavar="N", help="images in a step (128)")
    add("--lr", type=positive, default=3e-3, metavar="X", help="Adam's learning rate at its peak (0.003)")
    add("--shift", type=whole(0), default=2, metavar="N", help="pixels that images are shifted by, at most (2)")
    add("--rows", type=whole(2), metavar="N", help="train with the first N images only")
    add("--backend", choices=tinynn.backends.NAMES, help="what does the arithmetic (numba, if it is installed)")
    add("--data", metavar="DIR", help="a directory of four files like MNIST's, to be used in its place")
    add("--seed", type=whole(0), default=0, metavar="N", help="fixes weights, order and shifts of images (0)")
    args = options.parse_args(argv)
    if not args.no_plot:
        make_directory(options, args.output)

    try:
        # Data: images (N, 28, 28), labels from 0. Pixels stay bytes until their batch is used.
        (x_train, t_train), (x_test, t_test) = tinynn.datasets.load_mnist(
            flatten=False, normalize=False, directory=args.data
        )
        x_train, t_train = x_train[: args.rows], t_train[: args.rows]
        if len(x_train) % args.batch_size == 1:  # batch normalization cannot work on a batch of one image
            x_train, t_train = x_train[:-1], t_train[:-1]
        shape = (*x_train.shape[1:], 1)
        classes = int(max(t_train.max(), t_test.max())) + 1
        model = resnet(shape, classes, args.backend, args.seed)
        loss = SoftmaxCrossEntropy(label_smoothing=0.1)  # a network that is never quite sure errs a little less often
        optimizer = Adam(model, lr=args.lr)
        cycle = tinynn.callbacks.OneCycle(args.lr, args.epochs, -(-len(x_train) // args.batch_size))
    except (OSError, ValueError, ImportError, MemoryError) as error:  # no such data, no GPU, ...
        options.error(str(error))

    print(f"data       {len(x_train):,} training and {len(x_test):,} test images, {shape[0]} x {shape[1]} pixels")
    print(f"loss       {loss}")
    print(f"algorithm  Adam, lr up to {args.lr:g}; epochs: {args.epochs}; batch size: {args.batch_size}")
    print(f"model\n{model.summary()}\n")

    history = model.fit(
        x_train, t_train, loss=loss, optimizer=optimizer, epochs=args.epochs, batch_size=args.batch_size,
        transform=Shifted(args.shift, args.seed) if args.shift else scale, callbacks=[cycle], seed=args.seed,
    )  # fmt: skip
    predicted = model.predict(scale(x_test)).argmax(axis=1)
    print(f"\ntest accuracy {100 * np.mean(predicted == t_test):.2f} %")
    if history.stopped:
        return 130  # what shells expect after Ctrl-C
    if args.no_plot:
        return 0

    from tinynn import plots  # here, since it imports matplotlib

    save(args.output, "learning_curves", plots.learning_curves(history)[0])
    save(args.output, "filters", plots.filters(model))
    save(args.output, "feature_maps", plots.feature_maps(model, scale(x_test[0]))[0])
    save(args.output, "confusion_matrix", plots.confusion_matrix(predicted, t_test))
    mistakes = np.flatnonzero(predicted != t_test)[:48]
    axes = plots.predictions(
        x_test[mistakes].reshape(len(mistakes), -1) / np.float32(255), predicted[mistakes], t_test[mistakes],
        count=len(mistakes), shape=shape[:2],
    )  # fmt: skip
    axes.set_title("Mistakes: what the network reads, and the true digit")
    save(args.output, "predictions", axes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
