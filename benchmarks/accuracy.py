"""Test accuracy of examples/mnist_mlp.py at its defaults, over several seeds: python benchmarks/accuracy.py

Runs the example itself, once for each seed, and prints a table (Markdown) with the mean and the spread.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "mnist_mlp.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, counted from 0 (default 5)")
    parser.add_argument("--backend", default="numba", help="numpy, numba or cupy (default numba)")
    arguments = parser.parse_args()
    results = []
    print("| seed | test accuracy |\n|---|---|")
    for seed in range(arguments.seeds):
        command = [sys.executable, str(EXAMPLE), "--no-plot", "--seed", str(seed), "--backend", arguments.backend]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        results.append(float(re.findall(r"test accuracy\D*([\d.]+) %", output)[-1]))
        print(f"| {seed} | {results[-1]:.2f} % |", flush=True)
    spread = f", {min(results):.2f} to {max(results):.2f}" if len(results) > 1 else ""
    print(f"| mean of {len(results)} | **{statistics.mean(results):.2f} %**{spread} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
