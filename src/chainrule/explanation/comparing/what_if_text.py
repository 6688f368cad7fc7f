"""The page of a what-if: what was changed, what moves, as predicted and in fact, and the kinks crossed."""
from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..faces.lines import short_line
from ..faces.table import table
from ..faces.text import shortened
from ..formulas.writing import plain_array, plain_number, plain_shape

if TYPE_CHECKING:
    from .what_if import Move, Switch, WhatIf

MOST_ROWS = 24  # of one table
MOST_NAMED = 6  # elements of one row
VALUES = "Values that move: the prediction is (slope) · (change)"
GRADIENTS = "Gradients that move: the prediction is (second derivatives) · (change)"
HELD = "Held as recorded, for it was cut from the graph"


def page(w: WhatIf, width: int) -> str:
    """The whole what-if on lines of at most `width` characters."""
    gradients = moves(GRADIENTS, "gradient", moving_gradients(w), width)
    if still := unmoved(w):
        gradients.append(f"  ({still})")
    sections = [["What if", *wrapped(map(change, w.changes), width)], moves(VALUES, "value", moving_values(w), width), gradients,
                kinks(w), *([[HELD, *wrapped(w.held, width)]] if w.held else [])]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def wrapped(lines: Sequence[str], width: int) -> list[str]:
    return [piece for line in lines for piece in textwrap.wrap(line, width, initial_indent="  ", subsequent_indent="    ")]


def moving_values(w: WhatIf) -> list[Move]:
    """The values that moved, and the loss, which comes last."""
    return [*(m for m in w.values if m.name != w.loss.name), w.loss]


def moving_gradients(w: WhatIf) -> list[Move]:
    """The gradients that moved; those that were asked for come first."""
    return [*(m for m in w.gradients if m.name in w.asked), *(m for m in w.gradients if m.name not in w.asked)]


def unmoved(w: WhatIf) -> str:
    still = [name for name in w.asked if name not in {m.name for m in w.gradients}]
    return f"unmoved: the gradient in {', '.join(still)}" if still else ""


def change(c: Move) -> str:
    """`w[0,1] is 2 instead of 3`: the change in one line."""
    places = np.argwhere((c.before != c.after) & ~(np.isnan(c.before) & np.isnan(c.after)))
    if not len(places):
        return f"{c.name} is what it was, {plain_array(c.before)}"
    if c.before.ndim and len(places) == 1:
        place = tuple(places[0])
        return f"{c.name}{plain_index(place)} is {plain_number(c.after[place])} instead of {plain_number(c.before[place])}"
    if c.before.size <= MOST_NAMED:
        return f"{c.name} is {plain_array(c.after)} instead of {plain_array(c.before)}"
    return f"{c.name} {plain_shape(c.before.shape)} is changed in {len(places)} of {c.before.size} elements"


def plain_index(index: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, index))}]" if index else ""


def moves(title: str, what: str, rows: list[Move], width: int) -> list[str]:
    if not rows:
        return [title, "  none"]
    arrays = any(m.before.ndim for m in rows)
    cells, note = shortened([move_row(m, arrays) for m in rows], MOST_ROWS, "rows")
    return [title, *table(heads(what, arrays), cells, width), *note]


def heads(what: str, arrays: bool) -> list[str]:
    return [what, *(["moved", "most at"] if arrays else []), "before", "after", "predicted", "actual", "ratio"]


def move_row(m: Move, arrays: bool) -> list[str]:
    """The element that moved furthest: its numbers, and how many moved with it."""
    at = m.largest
    predicted = "—" if m.predicted is None else plain_number(m.predicted[at])
    return [m.name, *(extent(m) if arrays else []), plain_number(m.before[at]), plain_number(m.after[at]), predicted,
            plain_number(m.move[at]), "—" if m.ratio is None else f"{m.ratio:.4g}"]


def extent(m: Move) -> list[str]:
    """How many elements moved, and which one furthest."""
    return [f"{np.count_nonzero(m.moved)} of {m.moved.size}", plain_index(m.largest)] if m.before.ndim else ["", ""]


def kinks(w: WhatIf) -> list[str]:
    """One line for each operation whose elements switched to another piece."""
    if not w.switches:
        return ["Kinks crossed: none"]
    return ["Kinks crossed", *(line for s in w.switches for line in kink(s))]


def kink(s: Switch) -> list[str]:
    """What switched, where, and from which slope to which."""
    shown = [f"{plain_index(i)} slope {plain_number(a)}, now {plain_number(b)}".strip()
             for i, a, b in zip(s.indices[:MOST_NAMED], s.before, s.after)]
    more = [f"and {len(s.indices) - MOST_NAMED} more"] if len(s.indices) > MOST_NAMED else []
    source = f", {short_line(s.source)}" if s.source else ""
    title = f"  {s.name}, {s.operation}: {len(s.indices)} of {s.size} switched{source}"
    return [title, *(f"    {line}" for line in [*shown, *more])]
