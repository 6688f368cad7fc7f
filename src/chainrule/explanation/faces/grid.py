"""A grid shows many numbers as marks, the larger the number the larger the mark: squares are positive, discs negative.

F. J. Bremner, S. J. Gotts, D. L. Denham: Hinton diagrams: viewing connection strengths in neural networks. Behavior Research
Methods 26 (1994). Theirs are told apart by their colours; discs for what is negative make it readable without.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from ..formulas.writing import plain_number, plain_shape
from .fragments import Markup, paragraph, tag

MOST_ROWS, MOST_COLUMNS = 16, 48
CELL = 10  # pixels
LARGEST = 9  # of a mark, in pixels


def grid(x: Any) -> Markup:
    """An array of real numbers as a picture, rows along its last axis; of blocks of numbers the largest in size is drawn."""
    table = x.reshape(-1, x.shape[-1])
    marks = blocks(table)
    rows, columns = marks.shape
    shapes = {"more": square, "less": disc, "none": cross}
    places = {"more": np.argwhere(marks > 0), "less": np.argwhere(marks < 0), "none": np.argwhere(~np.isfinite(marks))}
    finite = np.where(np.isfinite(marks), marks, 0.0)
    most = float(np.max(np.abs(finite)))
    radius = LARGEST / 2 * np.sqrt(np.abs(finite) / (most or 1.0))
    drawn = [tag("path", class_=kind, d="".join(shapes[kind](CELL * (c + 0.5), CELL * (r + 0.5), float(radius[r, c]))
                                                for r, c in found if kind == "none" or finite[r, c]))
             for kind, found in places.items() if len(found)]
    said = legend(x.shape, table.shape, marks.shape, most)
    width, height = CELL * columns, CELL * rows
    picture = tag("svg", *drawn, viewBox=f"0 0 {width} {height}", width=width, height=height, role="img", aria_label=said)
    return Markup(picture + paragraph(said, quiet=True))


def blocks(table: Any) -> Any:
    """The number of the largest size in each block of a table cut into as many rows and columns as are drawn; NaN comes first."""
    rows, columns = (np.linspace(0, n, min(n, most) + 1).astype(int)[:-1]
                     for n, most in zip(table.shape, (MOST_ROWS, MOST_COLUMNS)))
    high, low = (f.reduceat(f.reduceat(table, rows, axis=0), columns, axis=1) for f in (np.maximum, np.minimum))
    return np.where(np.abs(low) > high, low, high)


def legend(shape: tuple[int, ...], table: tuple[int, int], drawn: tuple[int, int], most: float) -> str:
    block = plain_shape(tuple(-(-n // m) for n, m in zip(table, drawn)))
    each = "each mark is a number" if table == drawn else f"each mark is the largest of a block of about {block}"
    return (f"{plain_shape(shape)}: {each}. Squares are positive, discs negative, 0 is left blank, a cross is not finite; the "
            f"area is the size, at most {plain_number(most)}.")


def square(x: float, y: float, r: float) -> str:
    return f"M{x - r:.1f} {y - r:.1f}h{2 * r:.1f}v{2 * r:.1f}h{-2 * r:.1f}z"


def disc(x: float, y: float, r: float) -> str:
    return f"M{x - r:.1f} {y:.1f}a{r:.1f} {r:.1f} 0 1 0 {2 * r:.1f} 0a{r:.1f} {r:.1f} 0 1 0 {-2 * r:.1f} 0z"


def cross(x: float, y: float, r: float) -> str:
    arm = LARGEST / 2
    return f"M{x - arm:.1f} {y - arm:.1f}l{2 * arm:.1f} {2 * arm:.1f}m0 {-2 * arm:.1f}l{-2 * arm:.1f} {2 * arm:.1f}"
