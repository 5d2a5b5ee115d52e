"""The lab: a network with one hidden layer learns to read handwritten digits, to about 98 % right.

    python examples/mnist_mlp.py
    python examples/mnist_mlp.py --hidden 128 64 --epochs 5 --lr 3e-3
    python examples/mnist_mlp.py --data path/to/fashion-mnist

784 pixels -> 256 ReLU units -> 10 scores; softmax cross-entropy; Adam with lr 1e-3; 10 epochs in batches of 256. That
takes ten seconds or so on a laptop. Pictures of the training, the weights and the mistakes go to output/.
"""

from __future__ import annotations

import itertools

import numpy as np
from common import parse, parser, positive, run, save, whole

import tinynn


def main(argv: list[str] | None = None) -> int:
    options = parser("Train a multi-layer perceptron on MNIST or a set like it.")
    options.add_argument("--epochs", type=whole(1), default=10, metavar="N", help="times through the training images")
    options.add_argument("--batch-size", type=whole(1), default=256, metavar="N", help="images a step")
    options.add_argument("--lr", type=positive, default=1e-3, metavar="X", help="learning rate of Adam")
    options.add_argument("--hidden", type=whole(1), nargs="+", default=[256], metavar="N", help="hidden units by layer")
    options.add_argument(
        "--backend", choices=tinynn.backends.NAMES, default=tinynn.backends.default(), help="array ops"
    )
    options.add_argument("--data", metavar="DIR", help="four files like MNIST's, in place of MNIST")
    options.add_argument("--seed", type=whole(0), default=0, metavar="N", help="fixes weights and order of images")
    args = parse(options, argv)

    try:
        # Data: images as rows of pixels in [0, 1], and what they show as a number from 0.
        (x_train, t_train), (x_test, t_test) = tinynn.datasets.load_mnist(flatten=False, directory=args.data)
        shape = x_train.shape[1:]
        x_train, x_test = x_train.reshape(len(x_train), -1), x_test.reshape(len(x_test), -1)
        classes = int(max(t_train.max(), t_test.max())) + 1

        # Model: affine maps with ReLUs between them. Weights start Kaiming normal, biases 0.
        widths = [x_train.shape[1], *args.hidden]
        layers: list[tinynn.Layer] = []
        for n_in, n_out in itertools.pairwise(widths):
            layers += [tinynn.Affine(n_in, n_out), tinynn.ReLU()]
        layers.append(tinynn.Affine(widths[-1], classes))
        model = tinynn.Sequential(*layers, backend=args.backend, seed=args.seed)

        # Loss: how little probability softmax(scores) gives to the right class.
        loss = tinynn.SoftmaxCrossEntropy()

        # Algorithm: Adam, a step for each batch.
        optimizer = tinynn.Adam(model, lr=args.lr)
    except (OSError, ValueError, ImportError, MemoryError) as error:  # no such data, no GPU, ...
        options.error(str(error))

    print(f"data       {len(x_train):,} training and {len(x_test):,} test images of {shape[0]} x {shape[1]}")
    print(f"loss       {loss}\nalgorithm  {optimizer}\nmodel\n\n{model.summary()}\n")

    # The test images only watch: nothing is chosen by them.
    history = model.fit(
        x_train, t_train, loss=loss, optimizer=optimizer, epochs=args.epochs, batch_size=args.batch_size,
        validation_data=(x_test, t_test), seed=args.seed,
    )  # fmt: skip
    predicted = model.predict(x_test).argmax(axis=1)
    print(f"\ntest accuracy {100 * np.mean(predicted == t_test):.2f} %")
    if args.no_plot:
        return 0

    from tinynn import plots  # here, since it imports matplotlib

    print()
    save(args.output, "learning_curves", plots.learning_curves(history, names=("training", "test"))[0])
    save(args.output, "first_layer_weights", plots.first_layer_weights(model, shape))
    save(args.output, "confusion_matrix", plots.confusion_matrix(t_test, predicted))
    # The first images as they come, then mistakes, which are too rare to meet among them.
    mistakes = np.flatnonzero(predicted != t_test)
    rows = np.concatenate([np.arange(min(24, len(t_test))), mistakes[mistakes >= 24][:24]])
    axes = plots.predictions(x_test[rows], t_test[rows], predicted[rows], count=len(rows), shape=shape)
    axes.set_title(f"The first test images, then some of the {len(mistakes)} mistakes\n")
    save(args.output, "predictions", axes)
    return 0


if __name__ == "__main__":
    run(main)
