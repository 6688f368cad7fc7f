"""The fragment of a summary: the tables of its page, with all digits in the titles of the numbers."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..faces.fragments import Markup, code, fragment, number, paragraph, source, strong, table
from ..formulas.numbers import plain_shape
from .summary_text import LAYERS, MOST_ROWS, VALUES, headline, share, short, title

if TYPE_CHECKING:
    from .summary import Layer, Row, Summary


def drawn(s: Summary) -> str:
    """The layers and the values as tables; of very many values the first and the last."""
    half, many = MOST_ROWS // 2, len(s.rows)
    shown, note = s.rows, ""
    if many > MOST_ROWS:
        shown = (*s.rows[:half], *s.rows[-half:])
        note = f"The {half} nearest to the loss and the {half} furthest from it, of {many}; .json() has all."
    return fragment(
        paragraph(strong(headline(s))), table(LAYERS, list(map(layer, s.layers)), "Layers, from the loss down"),
        table(VALUES, list(map(value, shown)), "Values, from the loss down", note), label=headline(s))


def layer(x: Layer) -> list[str]:
    return [code(x.module), number(x.parameters), measure(x.norm), measure(x.gradient_norm), measure(x.ratio)]


def value(row: Row) -> list[str]:
    return [code(title(row)), code(row.module) if row.module else "", source(row.line),
            plain_shape(row.shape) if row.shape else "", measure(row.norm), zeros(row.zeros), measure(row.gradient_norm),
            zeros(row.gradient_zeros), measure(row.ratio)]


def measure(x: float | None) -> Markup:
    return Markup("") if x is None else number(x, short(x))


def zeros(x: float) -> Markup:
    return number(x, share(x)) if x else Markup("")
