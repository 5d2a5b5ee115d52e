"""The simplest network: a line through points. Data, model, loss, algorithm, and the answer in closed form beside it.

    python examples/linear_regression.py

The data are NIST's Norris set, 36 readings of an ozone monitor against a reference, with certified values for the best
line. At the end: two affine maps, one after the other, are one affine map.
"""

from __future__ import annotations

import numpy as np
from common import parse, parser, run, save

import tinynn

CERTIFIED = -0.262323073774029, 1.00211681802045  # NIST's b0 and b1 of y = b0 + b1 x


def main(argv: list[str] | None = None) -> int:
    args = parse(parser("Fit a line by gradient descent, and check it against the closed form."), argv)

    print("data       36 readings y of an ozone monitor, x of the reference (NIST, Norris)")
    x, t = tinynn.datasets.load_norris()
    # x reaches 1000. The loss is then a long narrow valley, and steps small enough for its walls creep along its floor;
    # with mean 0 and standard deviation 1 it is a round bowl.
    x_scaled, t_scaled = (x - x.mean()) / x.std(), (t - t.mean()) / t.std()

    print("model      y = x W + b, one number in, one out")
    model = tinynn.Sequential(tinynn.Affine(1, 1), dtype="float64", seed=0)

    print("loss       the mean of (y - t)^2")
    loss = tinynn.MSE()

    print("algorithm  100 steps of gradient descent, W <- W - 0.2 dW, each on all rows")
    optimizer = tinynn.SGD(model, lr=0.2)

    print("\n  step          loss")
    for step in range(101):
        value = loss.forward(model.forward(x_scaled), t_scaled)
        if step in (0, 1, 2, 5, 10, 20, 100):
            print(f"{step:>6}  {value:.10f}")
        model.backward(loss.backward())
        optimizer.step()

    # y_scaled = w x_scaled + b, written out in x and y.
    slope = model[0].W.item() * t.std() / x.std()
    intercept = t.mean() + model[0].b.item() * t.std() - slope * x.mean()
    exact = np.linalg.lstsq(np.c_[np.ones(len(x)), x], t, rcond=None)[0].ravel()
    print("\n                           intercept             slope")
    for name, b0, b1 in (("learned", intercept, slope), ("closed form", *exact), ("NIST, certified", *CERTIFIED)):
        print(f"{name:<18}{b0:>18.12f}{b1:>18.12f}")

    print("\nTwo affine maps are one: (x W1 + b1) W2 + b2 = x (W1 W2) + (b1 W2 + b2)")
    two = tinynn.Sequential(tinynn.Affine(3, 50, bias_init="normal"), tinynn.Affine(50, 2), dtype="float64", seed=1)
    one = tinynn.Sequential(tinynn.Affine(3, 2), dtype="float64")
    one[0].W = two[0].W @ two[1].W
    one[0].b = two[0].b @ two[1].W + two[1].b
    rows = np.random.default_rng(2).normal(size=(1000, 3))
    print(f"{two.params.size} parameters and {one.params.size} say the same of 1000 random rows,")
    print(f"to within {abs(two(rows) - one(rows)).max():.0e}. To say more, a network needs something between them.")

    if not args.no_plot:
        from tinynn import plots  # here, since it imports matplotlib

        print()
        lines = {"learned line": intercept + slope * x, "closed form": exact[0] + exact[1] * x}
        save(args.output, "linear_regression", plots.line_fit(x, t, lines)[0])
    return 0


if __name__ == "__main__":
    run(main)
