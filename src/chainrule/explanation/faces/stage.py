"""A stage is a graph, or a part of it, set out on a slide: a place for everything that will be written."""
from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..formulas.numbers import plain_array
from ..formulas.writing import text
from ..record.facts import Edge, Facts, Node
from .layout import Box, Layout, Point, Size, Spacing, layout
from .layout import Edge as Link
from .picture import BACK, FORWARD, LINE, Carried, carried, cut, headed, short, size_of, text_width
from .steps import edges_into
from .text import array_cell, signed

SPACING = Spacing(beside=18.0, between=15.0, bend=8.0, ports=22.0)
LITTLE, LITTLE_SPACING = (26.0, 12.0), Spacing(beside=8.0, between=6.0, bend=3.0, ports=6.0)  # where nothing is written
PADDING = 7.0
LARGEST = 2.2  # times as large as an ordinary picture
LONGEST_FORMULA, SUMMANDS = 24, 3  # characters beside a name, contributions written as a sum


@dataclass(frozen=True)
class Entry:
    """A line in a box: a "name", or a "value", "sum" or "gradient", which are blank until they are known."""

    kind: str
    text: str
    lead: int = 0


@dataclass(frozen=True)
class Stage:
    """A graph, or a part of it, in its place on a slide; `turned` runs from left to right instead of down."""

    nodes: tuple[Node, ...]
    links: tuple[Carried, ...]
    into: Mapping[str, Sequence[Edge]]
    entries: tuple[tuple[Entry, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    places: Layout
    turned: bool
    scale: float = 1.0
    left: float = 0.0
    top: float = 0.0

    @property
    def size(self) -> Size:
        return (self.places.height, self.places.width) if self.turned else (self.places.width, self.places.height)

    def within(self, area: Box) -> Stage:
        """The same, as large as fits into an area, in its middle."""
        width, height = self.size
        scale = min(area.width / width, area.height / height, LARGEST)
        return replace(self, scale=scale, left=area.middle - scale * width / 2, top=area.top + (area.height - scale * height) / 2)

    def at(self, point: Point) -> Point:
        x, y = point[::-1] if self.turned else point
        return self.left + self.scale * x, self.top + self.scale * y

    def box(self, box: Box) -> Box:
        (x0, y0), (x1, y1) = self.at((box.left, box.top)), self.at((box.right, box.bottom))
        return Box(x0, y0, x1 - x0, y1 - y0)

    def path(self, link: int, *, above: float = 0.0, below: float = 0.0) -> str:
        """The curve of a whole edge from box to box, less a piece at its ends; it passes empty layers without a bend."""
        pieces = [self.places.segments[s] for s in self.places.route(link)][::-1]
        runs = [(upper.end[0], upper.arrive[1], lower.leave[1]) for upper, lower in pairwise(pieces)]
        first, last = pieces[0], pieces[-1]
        start, end = first.start[1] + above, last.end[1] - below
        runs = [(first.start[0], start, max(first.leave[1], start)), *(run for run in runs if run[2] > run[1]),
                (last.end[0], min(last.arrive[1], end), end)]
        said = f"M{self.written((runs[0][0], start))}"
        for (x0, _, y0), (x1, y1, below) in pairwise(runs):
            half = (y0 + y1) / 2
            curve = map(self.written, ((x0, half), (x1, half), (x1, y1)))
            said += f"L{self.written((x0, y0))}C{' '.join(curve)}L{self.written((x1, below))}"
        return said

    def written(self, point: Point) -> str:
        x, y = self.at(point)
        return f"{x:.1f} {y:.1f}"

    def ends(self, link: int) -> tuple[Point, Point]:
        """Where an edge touches its two boxes."""
        pieces = [self.places.segments[s] for s in self.places.route(link)]
        return pieces[-1].start, pieces[0].end

    def arrow(self, tip: Point, length: float, half: float) -> str:
        """The corners of a head that points up, or down where its length is negative."""
        x, y = tip
        corners = ((x, y), (x - half, y + length), (x + half, y + length))
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in map(self.at, corners))


@dataclass(frozen=True)
class Graph:
    """All values of a loss and what runs between them, from which stages are made."""

    nodes: tuple[Node, ...]
    links: tuple[Carried, ...]
    into: Mapping[str, Sequence[Edge]]

    def stage(self, chosen: Container[str], *, turned: bool) -> Stage:
        """Some nodes, with all that runs between them; what flows along the only edge into a value is written there."""
        nodes = tuple(n for n in self.nodes if n.id in chosen)
        links = tuple(link for link in self.links if link[0] in chosen and link[1] in chosen)
        entries = tuple(tuple(told(n, self.into.get(n.id, ()))) for n in nodes)
        labels = tuple(tuple(headed(f"{BACK} ", short(array_cell(edge.contribution))))
                       if edge is not None and len(self.into[edge.argument]) > 1 else () for _, _, edge in links)
        turn = slice(None, None, -1 if turned else 1)
        places = self.laid([size([entry.text for entry in box], PADDING)[turn] for box in entries],
                           [size(label, PADDING / 2)[turn] if label else None for label in labels], nodes, links, SPACING)
        return Stage(nodes, links, self.into, entries, labels, places, turned)

    def little(self, *, turned: bool) -> Stage:
        """The whole graph in little: boxes in which nothing is written."""
        boxes, labels = [LITTLE[::-1 if turned else 1]] * len(self.nodes), [None] * len(self.links)
        places = self.laid(boxes, labels, self.nodes, self.links, LITTLE_SPACING)
        return Stage(self.nodes, self.links, self.into, ((),) * len(boxes), ((),) * len(labels), places, turned)

    @staticmethod
    def laid(boxes: Sequence[Size], labels: Sequence[Size | None], nodes: Sequence[Node], links: Sequence[Carried],
             spacing: Spacing) -> Layout:
        index = {n.id: k for k, n in enumerate(nodes)}
        return layout(boxes, [Link(index[a], index[r], label, -1.0 if edge is None else size_of(edge))
                              for (a, r, edge), label in zip(links, labels)], spacing)


def graph(e: Facts) -> Graph:
    return Graph(e.nodes, carried(e), edges_into(e))


def size(lines: Sequence[str], padding: float) -> Size:
    return max(map(text_width, lines)) + 2 * padding, LINE * len(lines) + padding


def told(n: Node, into: Sequence[Edge]) -> Iterator[Entry]:
    """Everything that will stand in a box."""
    formula = f" = {text(n.formula)}" if n.formula is not None else ""
    yield Entry("name", n.name + formula if len(formula) <= LONGEST_FORMULA else cut(n.name), len(n.name))
    for line in headed(f"{FORWARD} ", short(array_cell(n.value))):
        yield Entry("value", line)
    if n.gradient is None:
        return
    if len(into) > 1:
        yield Entry("sum", summed(into, {edge.id for edge in into}))
    head, cell = f"{BACK} {cut(text(n.gradient_name))} =", short(array_cell(n.gradient))
    for line in headed(f"{head} ", cell) if len(cell) == 1 else [head, *(f"  {line}" for line in cell)]:
        yield Entry("gradient", line)


def summed(into: Sequence[Edge], come: Container[str]) -> str:
    """The contributions that have come, and a question mark for each that is owed."""
    if len(into) > SUMMANDS or any(np.ndim(edge.contribution) > 1 for edge in into):
        return f"Σ {sum(edge.id in come for edge in into)} of {len(into)} edges"
    parts = [(signed(edge.contribution) if k else plain_array(edge.contribution)) if edge.id in come else "?"
             for k, edge in enumerate(into)]
    return f"Σ {' + '.join(parts)}"
