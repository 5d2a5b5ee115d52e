"""The lab: a network with one hidden layer learns to read handwritten digits, about 98 % of them right.

    python examples/mnist_mlp.py
    python examples/mnist_mlp.py --hidden 128 64 --epochs 5 --lr 3e-3
    python examples/mnist_mlp.py --data path/to/fashion-mnist

784 pixels -> 256 ReLU units -> 10 scores; softmax cross-entropy; Adam with lr 1e-3; 10 epochs in batches of 256. That
takes some ten seconds on a laptop. Pictures of the training, the weights and the mistakes go to output/.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
from common import make_directory, parser, positive, save, stoppable, whole

import tinynn


def scale(x: np.ndarray) -> np.ndarray:
    """Bytes as numbers from 0, the paper, to 1, the ink."""
    return x / np.float32(255)


@stoppable
def main(argv: list[str] | None = None) -> int:
    options = parser("Train a multi-layer perceptron on MNIST, or on a set stored like it.")
    add = options.add_argument
    add("--epochs", type=whole(1), default=10, metavar="N", help="times through the training images (10)")
    add("--batch-size", type=whole(1), default=256, metavar="N", help="images in a step (256)")
    add("--lr", type=positive, default=1e-3, metavar="X", help="Adam's learning rate (0.001)")
    add("--hidden", type=whole(1), nargs="+", default=[256], metavar="N", help="units in each hidden layer (256)")
    add("--backend", choices=tinynn.backends.NAMES, help="what does the arithmetic (numba, if it is installed)")
    add("--data", metavar="DIR", help="a directory of four files like MNIST's, to be used in its place")
    add("--seed", type=whole(0), default=0, metavar="N", help="fixes the first weights and the order of images (0)")
    args = options.parse_args(argv)
    if not args.no_plot:
        make_directory(options, args.output)

    try:
        # Data: every image a row of pixels, its label a number from 0. Pixels stay bytes until their batch is used.
        (x_train, t_train), (x_test, t_test) = tinynn.datasets.load_mnist(
            flatten=False, normalize=False, directory=args.data
        )
        shape = x_train.shape[1:]
        x_train, x_test = x_train.reshape(len(x_train), -1), x_test.reshape(len(x_test), -1)
        classes = int(max(t_train.max(), t_test.max())) + 1

        # Model: affine maps with ReLUs between them. By default their weights start Kaiming normal, their biases 0.
        widths = [x_train.shape[1], *args.hidden]
        layers: list[tinynn.Layer] = []
        for n_in, n_out in itertools.pairwise(widths):
            layers += [tinynn.Affine(n_in, n_out), tinynn.ReLU()]
        layers.append(tinynn.Affine(widths[-1], classes))
        model = tinynn.Sequential(*layers, backend=args.backend, seed=args.seed)

        # Loss: large where softmax(scores) gives the right class little probability.
        loss = tinynn.SoftmaxCrossEntropy()

        # Algorithm: a step of Adam for every batch.
        optimizer = tinynn.Adam(model, lr=args.lr)
    except (OSError, ValueError, ImportError, MemoryError) as error:  # no such data, no GPU, too many units, ...
        options.error(str(error))

    print(f"data       {len(x_train):,} training and {len(x_test):,} test images, {shape[0]} x {shape[1]} pixels")
    print(f"loss       {loss}")
    print(f"algorithm  Adam with lr {args.lr:g}; epochs: {args.epochs}; batch size: {args.batch_size}")
    print(f"model\n{model.summary()}\n")

    # The test images only watch the training: no choice is made by them.
    print("val_loss and val_accuracy are of the test images, at the end of each epoch:\n")
    history = model.fit(
        x_train, t_train, loss=loss, optimizer=optimizer, epochs=args.epochs, batch_size=args.batch_size,
        validation_data=(x_test, t_test), transform=scale, seed=args.seed,
    )  # fmt: skip
    predicted = model.predict(scale(x_test)).argmax(axis=1)
    print(f"\ntest accuracy {100 * np.mean(predicted == t_test):.2f} %")
    if history.stopped:
        return 130  # what shells expect after Ctrl-C
    if args.no_plot:
        return 0

    from tinynn import plots  # here, since it imports matplotlib

    save(args.output, "learning_curves", plots.learning_curves(history, names=("training", "test"))[0])
    save(args.output, "first_layer_weights", plots.first_layer_weights(model, shape))
    save(args.output, "confusion_matrix", plots.confusion_matrix(predicted, t_test))
    # The first images as they come, then mistakes, which are rare among those.
    mistakes = np.flatnonzero(predicted != t_test)
    rows = np.concatenate([np.arange(min(24, len(t_test))), mistakes[mistakes >= 24][:24]])
    axes = plots.predictions(scale(x_test[rows]), predicted[rows], t_test[rows], count=len(rows), shape=shape)
    some = f"the first test images, then some of the {len(mistakes):,} mistakes"
    axes.set_title(f"What the network reads, with the true digit where it is wrong:\n{some}")
    save(args.output, "predictions", axes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
