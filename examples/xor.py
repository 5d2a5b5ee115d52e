"""Why non-linearity: XOR, which no line can split and four ReLUs can.

    python examples/xor.py

The best answer of an affine map to XOR is 1/2, everywhere. With a layer of ReLUs the same training solves it, from most
starts: of the seeds 0 to 999, 94 % with 8 units, 60 % with 4, 18 % with 2, all with 16. The others end in a dead
corner, where a unit that is needed is off for all the points that need it, and so gets no gradient from them.
"""

from __future__ import annotations

import numpy as np
from common import parse, parser, run, save, whole

import tinynn

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
T = np.array([[0], [1], [1], [0]], np.float32)


def main(argv: list[str] | None = None) -> int:
    options = parser("Train an affine map and a small ReLU network on XOR.")
    options.add_argument("--seed", type=whole(0), default=0, metavar="N", help="fixes the first weights")
    options.add_argument("--hidden", type=whole(1), default=8, metavar="N", help="ReLU units")
    args = parse(options, argv)

    affine = tinynn.Sequential(tinynn.Affine(2, 1), seed=args.seed)
    layers = tinynn.Affine(2, args.hidden), tinynn.ReLU(), tinynn.Affine(args.hidden, 1)
    network = tinynn.Sequential(*layers, seed=args.seed)
    for title, model in (("one affine map", affine), ("affine, ReLU, affine", network)):
        loss = tinynn.MSE()
        optimizer = tinynn.Adam(model, lr=0.05)
        history = model.fit(X, T, loss=loss, optimizer=optimizer, epochs=500, batch_size=4, seed=0, progress=False)
        print(f"\n{title}: {model.params.size} parameters, loss {history['loss'][-1]:.6f}")
        print("  x1  x2   target   output")
        for (x1, x2), t, y in zip(X, T[:, 0], model.predict(X)[:, 0]):
            print(f"{x1:>4.0f}{x2:>4.0f}{t:>9.0f}{y:>9.4f}")

    outputs = network.predict(X)
    if np.abs(outputs - T).max() < 0.1:
        print("\nThe bend at 0 is all the difference: each ReLU folds the plane, and then a line is enough.")
    else:
        print("\nThis start ended in a dead corner. Another --seed, or more --hidden units, will do.")

    if not args.no_plot:
        from matplotlib.figure import Figure  # here: without pictures nobody waits for it

        from tinynn import plots

        panels = Figure(figsize=(9.2, 4), layout="constrained").subplots(1, 2)
        for panel, title, model in zip(panels, ("one affine map", "with a layer of ReLUs"), (affine, network)):
            plots.decision_boundary(model, X, T, panel)
            panel.set_title(title, pad=24)
        print()
        save(args.output, "xor", panels[0])
    return 0


if __name__ == "__main__":
    run(main)
