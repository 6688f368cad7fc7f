"""Write docs/accuracy.md: the worst error of every operation's value and slopes, against mpmath, over the whole range.

Run it from anywhere: `python benchmarks/accuracy_table.py`. It takes about a minute.
"""
from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from accuracy import BAR, DTYPES, EXCEPTIONS, Row, Worst, measurable, rows  # noqa: E402  found through the line above

COUNT = 4000
HEAD = """# Accuracy

How far each operation's value and slopes are from the truth, in units in the last place (ulp) of the result: the worst of
about {count} points for each line and dtype. The points cover the whole range of each argument: sizes from the smallest
denormal to the largest number, both signs, close to 0, 1, -1 and to the zeros of slopes, and moderate numbers. The truth is
computed by mpmath with {bits} bits. A result that overflows where the true one does is not an error; below the smallest
normal number, the unit is the distance between denormals.

The bar is {bar:g} ulp. What is over it is **bold**, and named below with its reason. Next to the zeros of the slopes of silu,
mish and gelu, errors are counted in units of the number 1, the size of its terms. Kinks are in another table.

Written by `python benchmarks/accuracy_table.py`, here with NumPy {numpy} on {machine}; another machine's NumPy may round
some functions differently. `tests/test_accuracy.py` holds every line to its bound, on fewer points.

| operation | of | float32 | worst at | float64 | worst at |
|---|---|---:|---|---:|---|
"""


def main() -> None:
    lines = [line for prim in measurable() for pair in zip(*(rows(prim, dtype, COUNT) for dtype in DTYPES))
             for line in table(*pair)]
    head = HEAD.format(count=COUNT, bits=240, bar=BAR, numpy=np.__version__, machine=platform.machine())
    named = "".join(f"| {name} | {of(part)} | {limit(bound)} | {reason} |\n"
                    for (name, part), (bound, reason) in EXCEPTIONS.items())
    tail = f"\n## Exceptions\n\n| operation | of | bound (ulp) | reason |\n|---|---|---:|---|\n{named}"
    (ROOT / "docs" / "accuracy.md").write_text(head + "\n".join(lines) + "\n" + tail)


def table(single: Row, double: Row) -> Iterator[str]:
    """The lines of one operation with one set of options: its value, then each slope."""
    options = "".join(f", {k}={v!r}" for k, v in single.reference.params.items())
    parts = [("value", single.value, double.value), *zip(range(len(single.slopes)), single.slopes, double.slopes)]
    for part, *worst in parts:
        if None not in worst:
            yield f"| `{single.prim.name}`{options} | {of(part)} | {' | '.join(cell(w) for w in worst)} |"


def of(part: int | str) -> str:
    return part if isinstance(part, str) else f"slope in argument {part + 1}"


def limit(bound: float) -> str:
    return "none" if bound == float("inf") else f"{bound:g}"


def cell(worst: Worst) -> str:
    number = f"{worst.error:.2f}" if worst.error < 100 else f"{worst.error:.0e}"
    shown = f"**{number}**" if worst.error > BAR else number
    return f"{shown} | {', '.join(f'{x:.6g}' for x in worst.at) if worst.error else ''}"


if __name__ == "__main__":
    main()
