"""The page of a summary: the layers, then every value, from the loss down to the data."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..faces.table import table
from ..faces.text import array_cell, percent, shortened
from ..formulas.numbers import plain_shape
from ..record.places import short_line

if TYPE_CHECKING:
    from .summary import Layer, Row, Summary

MOST_ROWS = 60
LAYERS = ("layer", "parameters", "norm", "gradient", "to the layer above")
VALUES = ("value", "module", "line", "shape", "norm", "zeros", "gradient", "zeros", "to above")


def page(s: Summary, width: int) -> str:
    """All of a summary on lines of at most `width` characters."""
    sections = [[headline(s)]]
    if s.layers:
        sections.append(["Layers, from the loss down", *table(LAYERS, list(map(layer, s.layers)), width)])
    head, cells = used(VALUES, [value(row, one_line(s)) for row in s.rows])
    kept, note = shortened(cells, MOST_ROWS, "values")
    sections.append(["Values, from the loss down", *table(head, kept, width), *note])
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def headline(s: Summary) -> str:
    where = f", computed at {short_line(one_line(s))}" if one_line(s) else ""
    return f"Sweep {s.number}: {s.loss} = {array_cell(s.value)}{where}"


def one_line(s: Summary) -> str | None:
    """The line at which everything was computed, if it is one: so it is where a model is called."""
    lines = {row.line for row in s.rows if row.line}
    return lines.pop() if len(lines) == 1 else None


def layer(x: Layer) -> list[str]:
    return [x.module, str(x.parameters), short(x.norm), short(x.gradient_norm), short(x.ratio)]


def value(row: Row, known: str | None) -> list[str]:
    return [title(row), row.module or "", "" if row.line in (None, known) else short_line(row.line),
            plain_shape(row.shape) if row.shape else "", short(row.norm), share(row.zeros), short(row.gradient_norm),
            share(row.gradient_zeros), short(row.ratio)]


def title(row: Row) -> str:
    """What a row is called: the operation, after its name if it has one; a parameter by its name within the module."""
    if row.operation:
        return f"{row.name} = {row.operation}" if row.name else row.operation
    name = row.name or "leaf"
    return name.removeprefix(f"{row.module}.") if row.module else name


def short(x: float | None) -> str:
    """A norm or a ratio to three digits."""
    return "" if x is None else f"{x:.3g}"


def share(x: float) -> str:
    """A share of zeros; none at all is left blank, so that the others are seen."""
    return percent(x) if x else ""


def used(head: Sequence[str], rows: list[list[str]]) -> tuple[list[str], list[Sequence[str]]]:
    """The columns in which something stands."""
    columns = [k for k in range(len(head)) if any(row[k] for row in rows)]
    return [head[k] for k in columns], [[row[k] for k in columns] for row in rows]
