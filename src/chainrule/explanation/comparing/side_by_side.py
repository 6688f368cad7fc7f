"""The page of a comparison: the first difference forward and backward, what only one graph has, and all that differs."""
from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from ..faces.lines import short_line
from ..faces.table import table
from ..faces.text import shortened
from ..formulas.writing import plain_number, plain_shape

if TYPE_CHECKING:
    from .comparison import Comparison, Difference, EdgePair, Lone, Row

MOST_ROWS = 24  # of one table

CAUSES = {
    "values": "the forward values differ already",
    "local": "the values are the same, the local derivative is not",
    "above": "only what arrives from above differs",
    "missing": "the value was cut off, or is used in one graph only",
}


def page(c: Comparison, width: int) -> str:
    """The whole comparison on lines of at most `width` characters."""
    sections = [headline(c), *([first_value(c.first_value)] if c.first_value else []),
                *([first_edge(c.first_edge)] if c.first_edge else []),
                *(alone(f"Only in {which}", values, width) for which, values in (("A", c.only_a), ("B", c.only_b)) if values),
                *differing(c, width)]
    return "\n\n".join("\n".join(line for piece in lines for line in fitted(piece, width)) for lines in sections) + "\n"


def fitted(line: str, width: int) -> list[str]:
    return [line] if len(line) <= width else textwrap.wrap(line, width, subsequent_indent="    ")


def headline(c: Comparison) -> list[str]:
    if c.same:
        return [f"The same: {len(c.rows)} values, and the gradients in them"]
    values = sum(r.value_differs for r in c.rows)
    gradients = sum(r.gradient is not None and r.gradient.differs for r in c.rows)
    return [f"{len(c.rows)} values are in both; {values} values and {gradients} gradients differ",
            f"  only in A: {len(c.only_a)}; only in B: {len(c.only_b)}"]


def told(d: Difference) -> str:
    """The difference where it is largest."""
    if d.index is None:
        return f"A has shape {plain_shape(d.a)}, B {plain_shape(d.b)}"
    at = f"at [{','.join(map(str, d.index))}] " if d.index else ""
    return f"{at}A {plain_number(d.a)}, B {plain_number(d.b)}: {far(d) if d.absolute == np.inf else f'apart by {far(d)}'}"


def far(d: Difference) -> str:
    return "not finite" if d.absolute == np.inf else f"{plain_number(d.absolute)} ({100 * d.relative:.3g} %)"


def both(a: str | None, b: str | None) -> str:
    return f"{a}" if a == b else f"{a or '—'} / {b or '—'}"


def place(x: Lone) -> str:
    return short_line(x.source) if x.source else "given"


def where(row: Row) -> str:
    """A pair by name, operation and line."""
    lines = [] if row.a.source is row.b.source is None else [both(place(row.a), place(row.b))]
    return ", ".join([both(row.a.name, row.b.name), both(row.a.operation, row.b.operation), *lines])


def first_value(row: Row) -> list[str]:
    assert row.value is not None
    return ["First value that differs, in the order of the computation",
            f"  {where(row)}",
            f"  {told(row.value)}", *(f"  what differs is {why}" for why in row.why)]


def first_edge(e: EdgePair) -> list[str]:
    title = f"  {e.argument} ← {where(e.result)}, argument {e.position + 1}"
    lines = ["First edge that differs, in the order of the sweep", title, f"  {CAUSES[e.cause]}"]
    if e.contribution is not None:
        lines.append(f"  contribution {told(e.contribution)}")
    if e.upstream is not None and e.upstream.differs:
        lines.append(f"  from above {told(e.upstream)}")
    return [*lines, *([f"  {e.note}"] if e.note else [])]


def alone(title: str, values: tuple[Lone, ...], width: int) -> list[str]:
    cells, note = shortened([[x.name, x.operation, plain_shape(x.shape) if x.shape else "", place(x)] for x in values],
                            MOST_ROWS, "rows")
    return [title, *table(["value", "operation", "shape", "line"], cells, width), *note]


def differing(c: Comparison, width: int) -> list[list[str]]:
    """The table of all pairs with a difference."""
    rows = differing_rows(c)
    if not rows:
        return []
    cells, note = shortened([[both(r.a.name, r.b.name), both(r.a.operation, r.b.operation), apart(r.value), apart(r.gradient)]
                             for r in rows], MOST_ROWS, "rows")
    return [["All that differs", *table(["A / B", "operation", "value apart by", "gradient apart by"], cells, width), *note]]


def differing_rows(c: Comparison) -> list[Row]:
    """The pairs with a difference, in the order of the computation."""
    return [r for r in c.rows if r.value_differs or (r.gradient is not None and r.gradient.differs) or r.why]


def apart(d: Difference | None) -> str:
    if d is None or not d.differs:
        return "" if d is None else "same"
    return "shape" if d.index is None else far(d)
