"""The fragment of a what-if: what was changed, what moves, as predicted and in fact, and the kinks crossed."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..faces.fragments import Markup, code, fragment, listing, number, paragraph, source, strong, table
from ..faces.text import shortened
from . import what_if_text as page

if TYPE_CHECKING:
    from .what_if import Move, Switch, WhatIf


def drawn(w: WhatIf) -> str:
    """The whole what-if."""
    said = "; ".join(map(page.change, w.changes))
    return fragment(
        paragraph(strong(f"What if {said}")), moves(page.VALUES, "value", page.moving_values(w)),
        moves(page.GRADIENTS, "gradient", page.moving_gradients(w), page.unmoved(w)), kinks(w),
        *([paragraph(page.HELD, ":"), listing(w.held)] if w.held else []), label=f"What if {said}")


def moves(title: str, what: str, rows: list[Move], unmoved: str = "") -> Markup:
    if not rows:
        return paragraph(f"{title}: none{f' ({unmoved})' if unmoved else ''}")
    arrays = any(m.before.ndim for m in rows)
    cells, note = shortened([move_row(m, arrays) for m in rows], page.MOST_ROWS, "rows")
    return table(page.heads(what, arrays), cells, title, " ".join([*map(str.strip, note), unmoved]).strip())


def move_row(m: Move, arrays: bool) -> list[str]:
    """The element that moved furthest: its numbers, and how many moved with it."""
    at = m.largest
    predicted = "—" if m.predicted is None else number(m.predicted[at])
    return [code(m.name), *(unbroken(page.extent(m)) if arrays else []), number(m.before[at]), number(m.after[at]), predicted,
            number(m.move[at]), "—" if m.ratio is None else number(m.ratio, f"{m.ratio:.4g}")]


def unbroken(cells: list[str]) -> list[str]:
    return [cell.replace(" ", "\N{NO-BREAK SPACE}") for cell in cells]


def kinks(w: WhatIf) -> Markup:
    """The elements that switched to another piece, operation by operation."""
    if not w.switches:
        return paragraph("Kinks crossed: none")
    rows = [row for s in w.switches for row in kink(s)]
    return table(["value", "operation", "switched", "line", "element", "slope", "now"], rows, "Kinks crossed")


def kink(s: Switch) -> list[list[str]]:
    head = [code(s.name), s.operation, f"{len(s.indices)} of {s.size}", source(s.source)]
    rows = [[*(head if not k else [code(s.name), "", "", ""]), page.plain_index(i), number(a), number(b)]
            for k, (i, a, b) in enumerate(zip(s.indices[:page.MOST_NAMED], s.before, s.after))]
    more = len(s.indices) - page.MOST_NAMED
    return [*rows, [code(s.name), "", "", "", f"and {more} more", "", ""]] if more > 0 else rows
