"""A layout puts boxes on layers, so that all edges point down, few cross, and none runs through a box.

The method of K. Sugiyama, S. Tagawa and M. Toda, Methods for Visual Understanding of Hierarchical System Structures (1981):
layers by longest paths, bends where an edge passes a layer, sweeps that order each layer by the barycentres of its neighbours.
Labels of edges are boxes on layers of their own. The long edges out of one box share one trunk, so that a value used everywhere
takes one column.
"""
from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

Size = tuple[float, float]  # width, height
Point = tuple[float, float]

BETWEEN = 20.0
ORDERINGS, SHIFTS = 12, 24  # sweeps
TRUNK, SPINE = 8.0, 200.0  # how straight a long edge, and an edge of a longest path, wants to be beside others


@dataclass(frozen=True)
class Spacing:
    """Free space beside boxes, between layers, and where an edge passes a layer; edges at one box are `ports` apart, or less."""

    beside: float = 22.0
    between: float = BETWEEN
    bend: float = 10.0
    ports: float = 26.0


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


@dataclass(frozen=True)
class Edge:
    """An edge from box `upper` down to box `lower`, which comes later in the list of boxes. Of edges that share a trunk, the one
    with the largest `weight` is named there. `label` is the size of its label; without one it passes unnamed."""

    upper: int
    lower: int
    label: Size | None = None
    weight: float = 0.0


@dataclass(frozen=True)
class Segment:
    """A piece of an edge between layers: straight down from `start` to `leave`, a curve to `arrive`, straight down to `end`.

    `edge` is the number of the strongest edge that runs here; `first` and `last` say whether it starts or ends at a box.
    """

    edge: int
    start: Point
    leave: Point
    arrive: Point
    end: Point
    first: bool
    last: bool

    def curve(self, t: float) -> Point:
        """The point of the curve at `t`, from 0 to 1: a cubic that leaves and arrives straight down."""
        bend, half = t * t * (3 - 2 * t), 1.5 * t * (1 - t)
        (x0, y0), (x1, y1) = self.leave, self.arrive
        return x0 + (x1 - x0) * bend, y0 + (y1 - y0) * (half + t ** 3)


@dataclass(frozen=True)
class Layout:
    """Where the boxes, the labels of the edges and the pieces of the edges are; `layer` is the layer of each box, `last` the
    segment in which each edge ends, `before` the one above each segment, or -1."""

    boxes: tuple[Box, ...]
    labels: tuple[Box | None, ...]
    segments: tuple[Segment, ...]
    layer: tuple[int, ...]
    width: float
    height: float
    last: tuple[int, ...]
    before: tuple[int, ...]

    def route(self, edge: int) -> Iterator[int]:
        """The segments through which an edge runs, from its end up."""
        at = self.last[edge]
        while at >= 0:
            yield at
            at = self.before[at]


def layout(sizes: Sequence[Size], edges: Sequence[Edge], spacing: Spacing | None = None) -> Layout:
    """The layout of boxes of these sizes; the time is nearly linear in boxes, edges and bends."""
    layers = Layers(sizes, edges, spacing)
    layers.order()
    layers.shift()
    return layers.drawn()


def depths(count: int, edges: Iterable[Edge]) -> list[int]:
    """How many edges the longest path down to each box has."""
    depth = [0] * count
    for e in sorted(edges, key=lambda e: e.lower):
        depth[e.lower] = max(depth[e.lower], depth[e.upper] + 1)
    return depth


def ranks(depth: Sequence[int], edges: Iterable[Edge]) -> list[int]:
    """The layer of each box: its depth; but a source stands right above what first uses it."""
    first = [len(depth)] * len(depth)
    for e in edges:
        first[e.upper] = min(first[e.upper], depth[e.lower])
    return [f - 1 if d == 0 and f < len(depth) else d for d, f in zip(depth, first)]


class Layers:
    """Boxes, labels and bends on their layers, on the way to a layout; boxes on the even layers, labels on the odd ones."""

    def __init__(self, sizes: Sequence[Size], edges: Sequence[Edge], spacing: Spacing | None = None) -> None:
        self.edges, self.count, self.spacing = edges, len(sizes), spacing or Spacing()
        self.sizes = list(sizes)
        self.depth = depths(len(sizes), edges)
        self.rank = [2 * r for r in ranks(self.depth, edges)]
        self.pull = [1.0] * len(sizes)
        self.above: list[list[int]] = [[] for _ in sizes]
        self.below: list[list[int]] = [[] for _ in sizes]
        self.strongest: dict[tuple[int, int], int] = {}
        self.label_of: dict[int, int] = {}
        self.last: dict[int, tuple[int, int]] = {}
        outgoing: list[list[int]] = [[] for _ in sizes]
        for k, e in enumerate(edges):
            outgoing[e.upper].append(k)
        for upper, numbers in enumerate(outgoing):
            self.route(upper, numbers)
        self.layers: list[list[int]] = [[] for _ in range(max(self.rank, default=-1) + 1)]

    def added(self, size: Size, rank: int, pull: float) -> int:
        self.sizes.append(size)
        self.pull.append(pull)
        self.rank.append(rank)
        self.above.append([])
        self.below.append([])
        return len(self.sizes) - 1

    def link(self, upper: int, lower: int, edge: int) -> None:
        before = self.strongest.get((upper, lower))
        if before is None:
            self.below[upper].append(lower)
            self.above[lower].append(upper)
        if before is None or self.edges[edge].weight > self.edges[before].weight:
            self.strongest[upper, lower] = edge

    def route(self, upper: int, numbers: list[int]) -> None:
        """The edges out of one box, the farthest first: each leaves the trunk above its label, or above its end."""
        ends = {k: self.rank[self.edges[k].lower] - 1 - (self.edges[k].label is not None) for k in numbers}
        trunk, base = [upper], self.rank[upper]
        while base + len(trunk) - 1 < max(ends.values(), default=0):
            trunk.append(self.added((self.spacing.bend, 0.0), base + len(trunk), TRUNK))
        strongest, leaving = -1, sorted(numbers, key=lambda k: ends[k])
        for at in range(len(trunk) - 1, 0, -1):
            while leaving and ends[leaving[-1]] >= base + at:
                k = leaving.pop()
                strongest = k if strongest < 0 or self.edges[k].weight > self.edges[strongest].weight else strongest
            self.link(trunk[at - 1], trunk[at], strongest)
        for k in numbers:
            vertex, lower, label = trunk[ends[k] - base], self.edges[k].lower, self.edges[k].label
            if label is not None:
                self.label_of[k] = self.added(label, ends[k] + 1, SPINE if self.depth[lower] == self.depth[upper] + 1 else 1.0)
                self.link(vertex, self.label_of[k], k)
                vertex = self.label_of[k]
            self.link(vertex, lower, k)
            self.last[k] = vertex, lower

    # ---------------------------------------------------------------- the order within layers
    def order(self) -> None:
        """Start from a walk up from the sinks, then sweep down and up by turns, and keep the order with the fewest crossings."""
        for v in self.walk():
            self.layers[self.rank[v]].append(v)
        best, fewest = [list(layer) for layer in self.layers], self.crossings()
        for sweep in range(ORDERINGS):
            if not fewest:
                break
            self.sort_layers(down=sweep % 2 == 0)
            found = self.crossings()
            if found < fewest:
                best, fewest = [list(layer) for layer in self.layers], found
        self.layers = best

    def walk(self) -> Iterable[int]:
        seen = [False] * len(self.sizes)
        for root in range(len(self.sizes)):
            stack = [] if self.below[root] else [root]
            while stack:
                v = stack.pop()
                if not seen[v]:
                    seen[v] = True
                    yield v
                    stack += reversed(self.above[v])

    def sort_layers(self, *, down: bool) -> None:
        neighbours = self.above if down else self.below
        for layer, beside in pairwise(self.layers if down else self.layers[::-1]):
            place = {v: float(i) for i, v in enumerate(layer)}
            centre = {v: sum(place[u] for u in near) / len(near) if (near := neighbours[v]) else float(i)
                      for i, v in enumerate(beside)}
            beside.sort(key=centre.__getitem__)

    def crossings(self) -> int:
        total = 0
        for layer, lower in pairwise(self.layers):
            place = {v: i for i, v in enumerate(lower)}
            passed: list[int] = []
            for v in layer:
                ends = sorted(place[u] for u in self.below[v])
                total += sum(len(passed) - bisect_left(passed, end + 1) for end in ends)
                for end in ends:
                    insort(passed, end)
        return total

    # ---------------------------------------------------------------- coordinates
    def shift(self) -> None:
        """Move each layer under the middles of its neighbours, down and up by turns; later sweeps look both ways at once."""
        self.x = [0.0] * len(self.sizes)
        for layer in self.layers:
            self.place(layer, [(0.0, 1.0)] * len(layer))
        both = [above + below for above, below in zip(self.above, self.below)]
        for sweep in range(SHIFTS):
            downwards = sweep % 2 == 0
            neighbours = both if sweep >= SHIFTS // 2 else self.above if downwards else self.below
            for layer in self.layers if downwards else self.layers[::-1]:
                self.place(layer, [self.wish(v, neighbours[v]) for v in layer])
        left = min((x - size[0] / 2 for x, size in zip(self.x, self.sizes)), default=0.0)
        self.x = [x - left for x in self.x]

    def wish(self, v: int, near: list[int]) -> tuple[float, float]:
        """The weighted mean of the places of neighbours, and the weight: where a vertex wants to be, and how much."""
        if not near:
            return self.x[v], 1.0
        pulls = [self.pull[v] * self.pull[u] for u in near]
        return sum(self.x[u] * pull for u, pull in zip(near, pulls)) / sum(pulls), sum(pulls)

    def place(self, layer: list[int], wishes: list[tuple[float, float]]) -> None:
        """The places in this order nearest to those wished for, by weighted least squares: pool adjacent violators."""
        apart = [(self.sizes[a][0] + self.sizes[b][0]) / 2 + self.spacing.beside for a, b in pairwise(layer)]
        offsets = list(accumulate(apart, initial=0.0))
        pools: list[tuple[float, float, int]] = []  # weighted sum of the wishes less the offsets, the weights, how many
        for (wish, weight), offset in zip(wishes, offsets):
            total, many = (wish - offset) * weight, 1
            while pools and pools[-1][0] / pools[-1][1] >= total / weight:
                more, others, number = pools.pop()
                total, weight, many = total + more, weight + others, many + number
            pools.append((total, weight, many))
        shifts = [total / weight for total, weight, many in pools for _ in range(many)]
        for v, shift, offset in zip(layer, shifts, offsets):
            self.x[v] = shift + offset

    # ---------------------------------------------------------------- the layout
    def drawn(self) -> Layout:
        heights = [max((self.sizes[v][1] for v in layer), default=0.0) for layer in self.layers]
        tops = list(accumulate((h + self.spacing.between for h in heights), initial=0.0))
        boxes = [Box(x - w / 2, tops[r] + (heights[r] - h) / 2, w, h) for x, (w, h), r in zip(self.x, self.sizes, self.rank)]
        segments = []
        ports = {v: i for layer in self.layers for i, v in enumerate(layer)}
        out, into = (self.ports(near, ports) for near in (self.below, self.above))
        for (a, b), edge in self.strongest.items():
            xa, xb, r = out[a, b], into[b, a], self.rank[a]
            segments.append(Segment(edge, (xa, boxes[a].bottom), (xa, tops[r] + heights[r]), (xb, tops[r + 1]),
                                    (xb, boxes[b].top), a < self.count, b < self.count))
        number = {pair: i for i, pair in enumerate(self.strongest)}
        before = tuple(-1 if a < self.count else number[self.above[a][0], a] for a, _ in self.strongest)
        labels = tuple(boxes[self.label_of[k]] if k in self.label_of else None for k in range(len(self.edges)))
        return Layout(tuple(boxes[:self.count]), labels, tuple(segments), tuple(r // 2 for r in self.rank[:self.count]),
                      max((b.right for b in boxes), default=0.0), max(tops[-1] - self.spacing.between, 0.0),
                      tuple(number[self.last[k]] for k in range(len(self.edges))), before)

    def ports(self, neighbours: list[list[int]], place: dict[int, int]) -> dict[tuple[int, int], float]:
        """Where along the side of a vertex each edge starts or ends: side by side, in the order of the other ends."""
        found = {}
        for v, near in enumerate(neighbours):
            step = min(self.spacing.ports, self.sizes[v][0] / (len(near) + 1)) if v < self.count else 0.0
            for i, u in enumerate(sorted(near, key=place.__getitem__)):
                found[v, u] = self.x[v] + step * (i - (len(near) - 1) / 2)
        return found
