"""An answer is what a trained network says of data: a row for each of them, or a text."""
from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.ops.softmax import softmax
from chainrule.train.files import write_safely

MOST_ROWS = 20  # on the terminal


@dataclass(frozen=True)
class Answer:
    """Rows under names; or a text. `said` are lines that sum it up."""

    names: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    said: Sequence[str] = field(default=())
    text: str | None = None

    def shown(self, width: int) -> str:
        """For the terminal: the first rows, in columns."""
        if self.text is not None:
            return self.text
        cells = [list(map(str, self.names)), *([cell(value) for value in row] for row in self.rows[:MOST_ROWS])]
        wide = [min(max(map(len, column)), 40) for column in zip(*cells)]
        lines = ["  ".join(f"{text[:40]:>{n}}" for text, n in zip(row, wide))[:width] for row in cells]
        more = len(self.rows) - MOST_ROWS
        return "\n".join([*lines, *([f"... and {more:,} more rows; --out FILE.csv writes all"] if more > 0 else []), *self.said])

    def write(self, path: Path) -> None:
        """Write all rows as CSV, or the text. Raises StorageError."""
        text = io.StringIO()
        if self.text is None:
            csv.writer(text, lineterminator="\n").writerows([self.names, *self.rows])
        write_safely(path, (text.getvalue() if self.text is None else self.text).encode("utf-8", "surrogatepass"))


def cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def of_classes(scores: np.ndarray[Any, Any], classes: Sequence[str], targets: Any = None) -> Answer:
    """Of scores (rows, classes): the likeliest class of each row and its chance; and where the targets are known, how many are
    right."""
    chances = np.asarray(softmax(scores.astype(np.float64), axis=1))
    best = chances.argmax(axis=1)
    rows = [[i, classes[k], round(float(chances[i, k]), 6)] for i, k in enumerate(best)]
    if targets is None:
        return Answer(("row", "predicted", "chance"), rows)
    right = int((best == targets).sum())
    return Answer(("row", "predicted", "chance", "target"), [[*row, classes[t]] for row, t in zip(rows, targets)],
                  [f"accuracy {right / len(rows):.2%} ({right:,} of {len(rows):,})"])
