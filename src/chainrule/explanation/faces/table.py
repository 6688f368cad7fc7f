"""A table is rows of cells in aligned columns, no wider than the page; a cell too wide for its column goes on below."""
from __future__ import annotations

import textwrap
from collections.abc import Sequence

GAP = "  "
NARROWEST = 6


def fitted(natural: Sequence[int], room: int) -> list[int]:
    """Widths that fit in `room`: the widest columns give way first."""
    widths = list(natural)
    while sum(widths) > room and max(widths) > NARROWEST:
        widest = max(widths)
        below = max((w for w in widths if w < widest), default=NARROWEST)
        many = widths.count(widest)
        cut = max(1, min(widest - max(below, NARROWEST), -(-(sum(widths) - room) // many)))
        widths = [w - cut if w == widest and w - cut >= NARROWEST else min(w, max(w - cut, NARROWEST)) if w == widest else w
                  for w in widths]
    return widths


def wrapped(cell: str, width: int) -> list[str]:
    """The lines of a cell; what belongs to an operator stays with it where it can."""
    lines = [piece for line in cell.split("\n")
             for piece in textwrap.wrap(line, width, subsequent_indent="  " if width > 12 else "", drop_whitespace=True)
             or [""]] if any(len(line) > width for line in cell.split("\n")) else cell.split("\n")
    return lines if len(lines) <= 6 else [*lines[:5], "…"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, right: bool = False) -> list[str]:
    """The lines of a table with a heading; `right` puts the last column flush right where its cells are single numbers."""
    everything = [list(head), *map(list, rows)]
    natural = [max(len(line) for row in everything for line in row[c].split("\n")) for c in range(len(head))]
    widths = fitted(natural, width - len(GAP) * len(head))
    lines = []
    for n, row in enumerate(everything):
        cells = [wrapped(cell, w) for cell, w in zip(row, widths)]
        for k in range(max(map(len, cells))):
            parts = [(cell[k] if k < len(cell) else "").ljust(w) for cell, w in zip(cells, widths)]
            if right and "\n" not in row[-1]:
                parts[-1] = parts[-1].strip().rjust(widths[-1])
            lines.append((GAP + GAP.join(parts)).rstrip())
        if n == 0:
            lines.append(GAP + GAP.join("─" * w for w in widths))
    return lines
