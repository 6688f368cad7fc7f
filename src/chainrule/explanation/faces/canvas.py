"""A canvas is a page of character cells, on which lines join where they meet and text covers what is below."""
from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

Cell = tuple[int, int]  # column, row

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
JOINTS = {
    UP: "│", DOWN: "│", UP | DOWN: "│", LEFT: "─", RIGHT: "─", LEFT | RIGHT: "─",
    DOWN | RIGHT: "╭", DOWN | LEFT: "╮", UP | RIGHT: "╰", UP | LEFT: "╯",
    UP | DOWN | RIGHT: "├", UP | DOWN | LEFT: "┤", LEFT | RIGHT | DOWN: "┬", LEFT | RIGHT | UP: "┴",
    UP | DOWN | LEFT | RIGHT: "┼"}
PLAIN = {"▼": "v", "▲": "^", "●": "*", "○": "o", "Σ": "sum", "×": "x", "⊞": "[+]", "⊂": "in", "…": "...", "←": "<-", "→": "->",
         **dict.fromkeys("─═╌", "-"), **dict.fromkeys("│║╎", "|"), **dict.fromkeys("╭╮╰╯├┤┬┴┼┌┐└┘╔╗╚╝", "+")}
"""What stands for a sign where there is ASCII only."""


def printable(line: str) -> str:
    """The line without what would move a terminal's cursor; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in line)


def plain(line: str) -> str:
    """The line in ASCII; letters of other scripts become question marks."""
    return "".join(PLAIN.get(c, c) for c in printable(line)).encode("ascii", "replace").decode()


def glyphs(line: str) -> list[str]:
    """What stands in each cell: wide characters take two, and combining ones stand with the one before."""
    cells: list[str] = []
    for c in line:
        if cells and unicodedata.category(c) in ("Mn", "Me"):
            cells[-1] += c
        else:
            cells += [c, *[""] * (unicodedata.east_asian_width(c) in "WF")]
    return cells


def columns(line: str) -> int:
    """How many cells a line takes in a terminal."""
    return len(glyphs(line))


class Canvas:
    """Grows to the right and down as it is drawn on."""

    def __init__(self) -> None:
        self.written: dict[Cell, str] = {}
        self.joints: dict[Cell, int] = {}

    def write(self, column: int, row: int, line: str) -> None:
        for k, glyph in enumerate(glyphs(line)):
            self.written[column + k, row] = glyph

    def line(self, points: Iterable[Cell]) -> None:
        """A line through these cells, from each straight to the next."""
        for (x0, y0), (x1, y1) in pairwise(points):
            if x0 == x1:
                for y in range(min(y0, y1), max(y0, y1)):
                    self.join((x0, y), DOWN)
                    self.join((x0, y + 1), UP)
            else:
                for x in range(min(x0, x1), max(x0, x1)):
                    self.join((x, y0), RIGHT)
                    self.join((x + 1, y0), LEFT)

    def join(self, cell: Cell, direction: int) -> None:
        self.joints[cell] = self.joints.get(cell, 0) | direction

    def lines(self) -> Sequence[str]:
        cells = {cell: JOINTS[joint] for cell, joint in self.joints.items()} | self.written
        width, height = (max((cell[k] for cell in cells), default=-1) + 1 for k in (0, 1))
        page = [[" "] * width for _ in range(height)]
        for (x, y), glyph in cells.items():
            page[y][x] = glyph
        return ["".join(row).rstrip() for row in page]
