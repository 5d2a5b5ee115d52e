"""The short tables of the front page: some rows and columns of the tables in this folder's README.md.

    python benchmarks/short_tables.py

Each is of the first table there that has the same first column.
"""

from __future__ import annotations

import re
from pathlib import Path

LONG = Path(__file__).with_name("README.md")
ROWS = 5
SHORT = [  # the columns
    ["network", "parameters", "epochs", "mean"],
    ["", "wall s", "wall / PyTorch", "peak MiB", "peak / PyTorch", "test accuracy"],
    ["batch x hidden", "the floor", "tinynn numba", "PyTorch eager", "torch compile", "JAX jit"],
]


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown text as rows of cells: the headings, the rule under them, the rest."""
    return [
        [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        for table in re.findall(r"(?:^\|.*\n)+", text, re.M)
    ]


def main() -> None:
    long = tables(LONG.read_text(encoding="utf-8").partition("## Measured\n")[2])
    for columns in SHORT:
        table = next(table for table in long if table[0][0] == columns[0])
        places = [table[0].index(column) for column in columns]
        for row in table[: 2 + ROWS]:
            print("| " + " | ".join(row[place] for place in places) + " |")
        print()


if __name__ == "__main__":
    main()
