"""Many processes train one network: each takes its rows of every batch, and MPI adds up their gradients.

    pip install -e ".[mpi]"
    mpirun -n 4 python -m mpi4py examples/mnist_mpi.py
    python examples/mnist_mpi.py                                 one process: the same numbers, but for rounding

`-m mpi4py` sees to it that an error in one process ends all of them. Batches are large, since after each step the
processes wait for one another. One thread for each process: OPENBLAS_NUM_THREADS=1 and NUMBA_NUM_THREADS=1 are set here
where nothing else is.
"""

from __future__ import annotations

import os
import sys
import time

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy and numba are loaded
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
from common import parser, positive, stoppable, whole

import tinynn
from tinynn import Adam, Affine, Parallel, ReLU, Sequential, SoftmaxCrossEntropy


@stoppable
def main(argv: list[str] | None = None) -> int:
    options = parser("Train a multi-layer perceptron on MNIST in many processes.", pictures=False)
    add = options.add_argument
    add("--epochs", type=whole(1), default=5, metavar="N", help="times through the training images (5)")
    add("--batch-size", type=whole(1), default=1024, metavar="N", help="images in a step of all processes (1024)")
    add("--lr", type=positive, default=3e-3, metavar="X", help="Adam's learning rate (0.003)")
    add("--hidden", type=whole(1), default=512, metavar="N", help="units in the hidden layer (512)")
    add("--data", metavar="DIR", help="a directory of four files like MNIST's, to be used in its place")
    add("--seed", type=whole(0), default=0, metavar="N", help="fixes the first weights and the order of images (0)")
    args = options.parse_args(argv)

    # Every process holds all data: which rows of a batch are its own, fit asks Parallel.
    try:
        (x, t), (x_test, t_test) = tinynn.datasets.load_mnist(directory=args.data)
        classes = int(max(t.max(), t_test.max())) + 1
        model = Sequential(Affine(x.shape[1], args.hidden), ReLU(), Affine(args.hidden, classes), seed=args.seed)
        optimizer = Parallel(Adam(model, lr=args.lr))
    except (OSError, ValueError, ImportError) as error:  # no such data, no mpi4py, ...
        options.error(str(error))

    def say(text: str) -> None:
        """What one of the processes prints for all."""
        if optimizer.rank == 0:
            print(text, flush=True)

    say(f"data       {len(x):,} training and {len(x_test):,} test images")
    say(f"processes  {optimizer.size}, for {args.batch_size / optimizer.size:g} images each of a batch")
    say(f"message    {model.params.size:,} numbers, {model.grads.nbytes / 1e6:.2f} MB, in each step\n")

    start = time.perf_counter()
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer, epochs=args.epochs, batch_size=args.batch_size,
        seed=args.seed,
    )  # fmt: skip
    rate = len(x) * len(history) / (time.perf_counter() - start)
    accuracy = np.mean(model.predict(x_test).argmax(axis=1) == t_test)  # the same in each process
    say(f"\n{rate:,.0f} images a second\ntest accuracy {100 * accuracy:.2f} %")
    return 130 if history.stopped else 0  # what shells expect after Ctrl-C


if __name__ == "__main__":
    sys.exit(main())
