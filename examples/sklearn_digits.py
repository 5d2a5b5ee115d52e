"""A network as an estimator of scikit-learn: search, cross-validation, calibration, beside scikit-learn's own network.

    python examples/sklearn_digits.py
    python examples/sklearn_digits.py --hidden 64 32 --epochs 50

The data are scikit-learn's 1,797 digits, 8 x 8 pixels. NetworkClassifier is used like MLPClassifier: with the same
widths, the same Adam, batches and epochs. Both are fitted in turn, in one process with one thread, and the seconds are
medians. Then scikit-learn's tools follow. Calibration has nothing to improve here: after training with cross-entropy,
the probabilities are good.
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

import numpy as np
from common import parser, stoppable, whole

try:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.datasets import load_digits
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import log_loss
    from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError:
    sys.exit('This example needs scikit-learn: pip install -e ".[sklearn]"')
from threadpoolctl import threadpool_limits

from tinynn.sklearn import NetworkClassifier


@stoppable
def main(argv: list[str] | None = None) -> int:
    options = parser(
        "Use a tinynn network with scikit-learn's tools, and compare it with MLPClassifier.", pictures=False
    )
    add = options.add_argument
    add("--hidden", type=whole(1), nargs="+", default=[100], metavar="N", help="units in each hidden layer (100)")
    add("--epochs", type=whole(1), default=20, metavar="N", help="times through the training images (20)")
    add("--batch-size", type=whole(2), default=32, metavar="N", help="images in a step (32)")
    add("--rounds", type=whole(1), default=5, metavar="N", help="fits of each, in turn, with other seeds (5)")
    add("--dtype", choices=["float32", "float64"], default="float32", help="what both compute in (float32)")
    args = options.parse_args(argv)

    x, t = load_digits(return_X_y=True)
    x, x_test, t, t_test = train_test_split(x, t, test_size=0.3, stratify=t, random_state=0)
    x, x_test = x.astype(args.dtype), x_test.astype(args.dtype)
    widths = " - ".join(map(str, [x.shape[1], *args.hidden, 10]))
    print(f"data     {len(x):,} training and {len(x_test):,} test images, 8 x 8 pixels, {x.dtype}")
    print(f"network  {widths}, Adam, {args.epochs} epochs, batches of {args.batch_size}\n")

    # A fit that has not converged after so many epochs is what is asked for here.
    warnings.simplefilter("ignore", ConvergenceWarning)
    # n_iter_no_change: both do all epochs. alpha=0: neither has weight decay.
    shared = {"batch_size": args.batch_size}
    theirs = MLPClassifier(args.hidden, max_iter=args.epochs, n_iter_no_change=args.epochs, alpha=0, **shared)
    ours = NetworkClassifier(hidden=args.hidden, epochs=args.epochs, **shared)

    with threadpool_limits(1):
        compare({"MLPClassifier": theirs, "NetworkClassifier": ours}, args.rounds, (x, t), (x_test, t_test))

        pipe = make_pipeline(StandardScaler(), ours.set_params(random_state=0))
        scores = cross_val_score(pipe, x, t, cv=5)
        print(f"\ncross_val_score, 5 folds    accuracy {scores.mean():.4f} +- {scores.std():.4f}")

        grid = {"networkclassifier__lr": [1e-3, 3e-3], "networkclassifier__dropout": [0.0, 0.3]}
        search = GridSearchCV(pipe, grid, cv=3).fit(x, t)
        best = ", ".join(f"{name.partition('__')[2]}={value}" for name, value in search.best_params_.items())
        print(f"GridSearchCV, 4 x 3 fits    best {best}; test accuracy {search.score(x_test, t_test):.4f}")

        calibrated = CalibratedClassifierCV(search.best_estimator_, cv=3).fit(x, t)
        before, after = (log_loss(t_test, model.predict_proba(x_test)) for model in (search, calibrated))
        print(f"CalibratedClassifierCV      test log loss {before:.4f} without it, {after:.4f} with")
    return 0


def compare(models: dict[str, Any], rounds: int, train: tuple[Any, Any], test: tuple[Any, Any]) -> None:
    """A table of the seconds that `fit` takes and of the test accuracy: medians of fits in turn."""
    pipes = {name: make_pipeline(StandardScaler(), model) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in pipes}
    accuracy: dict[str, list[float]] = {name: [] for name in pipes}
    for pipe in pipes.values():
        pipe.fit(*train)  # once before, to load what is loaded and compiled only once
    for seed in range(rounds):
        for name, pipe in pipes.items():
            pipe[-1].set_params(random_state=seed)
            start = time.perf_counter()
            pipe.fit(*train)
            seconds[name].append(time.perf_counter() - start)
            accuracy[name].append(pipe.score(*test))
    print(f"{f'{rounds} fits each, medians':<26}{'fit, seconds':>14}{'test accuracy':>16}{'from .. to':>20}")
    for name in pipes:
        low, high = min(accuracy[name]), max(accuracy[name])
        figures = f"{np.median(seconds[name]):>14.3f}{np.median(accuracy[name]):>16.4f}"
        print(f"{name:<26}{figures}{f'{low:.4f} .. {high:.4f}':>20}")
    slow, fast = (np.median(seconds[name]) for name in pipes)
    print(f"{'ratio of the seconds':<26}{slow / fast:>14.1f}")


if __name__ == "__main__":
    sys.exit(main())
