"""A straight line through real measurements: data, model, loss and algorithm in their smallest form.

    python examples/linear_regression.py

Gradient descent learns a line that a formula gives, too, so that you can compare the two digit by digit. NIST has
certified this line. Then: two linear layers are no more than one. The picture goes to output/.
"""

from __future__ import annotations

import sys

import numpy as np
from common import make_directory, parser, save, stoppable

import tinynn

CERTIFIED = (-0.262323073774029, 1.00211681802045)  # b0 and b1 of y = b0 + b1 x (NIST StRD, Norris)


@stoppable
def main(argv: list[str] | None = None) -> int:
    options = parser("Learn a straight line by gradient descent and compare it with the closed form.")
    args = options.parse_args(argv)
    if not args.no_plot:
        make_directory(options, args.output)

    # --- 1. Data: what the model can learn from
    x, y = tinynn.datasets.load_norris()
    print(f"1. Data: {len(x)} ozone concentrations, x as NIST measured them, y as a customer did.")
    # In units of their spread about their mean. With x as it is, up to 999, the loss is a valley that curves 700 000
    # times as much across as along, and gradient descent would crawl.
    u, v = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()

    # --- 2. Model: how to turn x into y
    model = tinynn.Sequential(tinynn.Affine(1, 1), backend="numpy", dtype="float64", seed=0)
    print(f"2. Model: y = w x + b, which is {model[0]} with {model.params.size} parameters.")

    # --- 3. Loss: how bad the model is
    loss = tinynn.MSE()
    print("3. Loss: the mean squared error.")

    # --- 4. Algorithm: how to make the loss smaller
    optimizer = tinynn.SGD(model, lr=0.1)
    print("4. Algorithm: gradient descent, w <- w - lr dL/dw, all the data in each step.\n")
    history = model.fit(u, v, loss=loss, optimizer=optimizer, epochs=200, batch_size=len(u), seed=0, progress=False)
    for step in (1, 5, 10, 20, 200):
        print(f"   step {step:>3}   loss {history['loss'][step - 1]:.12f}")

    # The line in the data's own units: (y - mean y) / std y = w (x - mean x) / std x + b.
    b1 = model[0].W[0, 0] * y.std() / x.std()
    b0 = y.mean() + model[0].b[0] * y.std() - b1 * x.mean()

    # The closed form: the loss's derivatives are 0 where (X^T X) b = X^T y, with a column of ones in X for b0.
    X = np.hstack([np.ones_like(x), x])
    closed = np.linalg.lstsq(X, y)[0].ravel()

    print("\ny = b0 + b1 x                   b0                   b1")
    for name, line in (("learned", (b0, b1)), ("closed form", closed), ("certified", CERTIFIED)):
        print(f"{name:<12} {line[0]:>21.15f} {line[1]:>20.15f}")

    two_layers_are_one()

    if not args.no_plot:
        from tinynn import plots  # here, since it imports matplotlib

        lines = {"learned line": b0 + b1 * x, "closed form": X @ closed[:, None]}
        above, _ = plots.line_fit(x, y, lines)
        above.set_title("Ozone: two instruments, one line")
        save(args.output, "linear_regression", above)
    return 0


def two_layers_are_one() -> None:
    """(x W1 + b1) W2 + b2 = x (W1 W2) + (b1 W2 + b2): with nothing non-linear between them, two layers are one."""
    first, second = tinynn.Affine(5, 8, bias_init="normal"), tinynn.Affine(8, 3, bias_init="normal")
    stack = tinynn.Sequential(first, second, backend="numpy", dtype="float64", seed=0)
    one = tinynn.Sequential(tinynn.Affine(5, 3), backend="numpy", dtype="float64")
    one[0].W = first.W @ second.W
    one[0].b = first.b @ second.W + second.b
    x = np.random.default_rng(0).normal(size=(1000, 5))
    print(f"\nTwo layers, {stack.params.size} parameters:  x W1 + b1, (5 -> 8), then y W2 + b2, (8 -> 3)")
    print(f"One layer,  {one.params.size} parameters:  W = W1 W2, b = b1 W2 + b2")
    print(f"Their outputs for 1000 random inputs differ by at most {abs(stack(x) - one(x)).max():.1e}")


if __name__ == "__main__":
    sys.exit(main())
