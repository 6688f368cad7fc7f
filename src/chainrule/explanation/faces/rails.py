"""Rails lead each value of a list down to where it is used last, as those of `git log --graph` do."""
from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from ..formulas.numbers import plain_array, plain_shape
from ..formulas.writing import text
from ..record.facts import Edge, Facts, Node
from .canvas import DOWN, JOINTS, LEFT, RIGHT, UP, columns
from .picture import BACK, FORWARD, MOST_SUMMANDS, headed
from .steps import edges_into
from .text import array_cell, edge_row, signed

GIVEN, COMPUTED = "○", "●"
NARROWEST = 20  # columns of a page, and for text; where rails would leave less, there are none
SHORT = 20  # characters before an array that starts on the same line


def rails(e: Facts, width: int, sign: Callable[[str], str]) -> list[str]:
    """The lines of the list: each value right before its first use, with its formula, its number, its gradient and its edges."""
    nodes, into = list(in_order(e)), edges_into(e)
    drawn = list(Lanes(nodes).rows())
    room = width - max(len(rail) for rows in drawn for rail in rows) - 1
    if room < max(NARROWEST, width // 2):
        drawn, room = [(mark(n), "") for n in nodes], width - 2
    lines = []
    for n, (first, others) in zip(nodes, drawn):
        said = [piece for line in told(e, n, into.get(n.id, ())) for piece in wrapped(sign(line), room)]
        lines += [f"{(others if k else first):<{width - room}}{line}".rstrip() for k, line in enumerate([*said, ""])]
    return lines[:-1]


def in_order(e: Facts) -> Iterator[Node]:
    """The operations as they were computed, and each leaf right before it is first used."""
    seen = set()
    for n in e.nodes:
        if n.kind == "operation" or n.name == e.loss:
            yield from (e[a] for a in dict.fromkeys(n.arguments) if a not in seen and e[a].kind != "operation")
            seen.update(n.arguments)
            yield n


def mark(n: Node) -> str:
    return COMPUTED if n.kind == "operation" else GIVEN


class Lanes:
    """Columns for rails: a value holds one from where it stands to where it is used last."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.last = {a: n.id for n in nodes for a in n.arguments}
        self.held: list[str | None] = []

    def rows(self) -> Iterator[tuple[str, str]]:
        """For each value, the rails beside its first line and beside its others."""
        for n in self.nodes:
            joined = {k for k, held in enumerate(self.held) if held in n.arguments}
            ended = {k for k in joined if self.last[str(self.held[k])] == n.id}
            self.held = [None if k in ended else held for k, held in enumerate(self.held)]
            own = min(ended) if ended else self.held.index(None) if None in self.held else len(self.held)
            first = self.crossing(n, joined, own)
            self.held[own:own + 1] = [n.id if n.id in self.last else None]
            yield first, "".join("│ " if held else "  " for held in self.held).rstrip()

    def crossing(self, n: Node, joined: set[int], own: int) -> str:
        """The row on which the rails of the arguments turn to their result; a rail between them passes in front."""
        low, high = min({own, *joined}), max({own, *joined})
        row = ""
        for k in range(max(len(self.held), own + 1)):
            held = k < len(self.held) and self.held[k] is not None
            across = (LEFT if low < k <= high else 0) | (RIGHT if low <= k < high else 0)
            joint = UP | across | (DOWN if held else 0) if k in joined else UP | DOWN if held else across
            row += (mark(n) if k == own else JOINTS.get(joint, " ")) + (JOINTS[RIGHT] if low <= k < high else " ")
        return row.rstrip()


def told(e: Facts, n: Node, into: Sequence[Edge]) -> Iterator[str]:
    """What the list says of a value, to which these edges lead back."""
    name = f"{n.name}{f' {plain_shape(n.shape)}' if n.shape else ''}{f' ⊂ {n.inside}' if n.inside else ''}"
    if n.formula is None:
        yield f"{name} {'given' if n.kind == 'input' else 'constant'}"
    else:
        yield " = ".join([name, *(text(f) for f in (n.formula, n.numbers) if f is not None)])
    yield from behind(f"{FORWARD} ", array_cell(n.value))
    if n.gradient is None:
        return
    parts = [signed(edge.contribution) if k else plain_array(edge.contribution) for k, edge in enumerate(into)]
    total = f"{' + '.join(parts)} = " if 1 < len(into) <= MOST_SUMMANDS else ""
    yield from behind(f"{BACK} {text(n.gradient_name)} = {total}", array_cell(n.gradient))
    for edge in into:
        yield from came(e, edge, alone=len(into) == 1)


def came(e: Facts, edge: Edge, *, alone: bool) -> list[str]:
    """What an edge brings, and how; the only edge into a value brings its gradient, which is written there."""
    _, formula, numbers, cell = edge_row(e, edge)
    made = f"from {e[edge.result].name}: {formula} = {numbers}"
    if alone:
        return [f"  {made}"]
    return [f"  {cell} {made}"] if "\n" not in cell else behind(f"  {made} = ", cell)


def behind(head: str, cell: str) -> list[str]:
    """The lines of a cell behind a head; of several behind a long one, below it."""
    lines = cell.split("\n")
    return headed(head, lines) if len(lines) == 1 or len(head) <= SHORT else [head.rstrip(), *(f"    {line}" for line in lines)]


def wrapped(line: str, room: int) -> list[str]:
    """The line in pieces of at most `room` characters, broken between numbers."""
    indent, room = " " * (len(line) - len(line.lstrip()) + 2), room - (columns(line) - len(line))
    return textwrap.wrap(line, room, subsequent_indent=indent if len(indent) < room // 2 else "", break_on_hyphens=False) or [""]
