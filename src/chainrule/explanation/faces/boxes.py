"""Boxes, labels and the edges between them are drawn with characters, layer below layer."""
from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from .canvas import Canvas
from .channel import routed
from .layout import Edge, Layers, Size, Spacing

SPACING = Spacing(beside=3.0, bend=1.0)  # in characters
GAP = 2  # characters that stay free beside a box once places are rounded
BORDERS = {"input": "╭─╮│╰╯", "operation": "┌─┐│└┘", "constant": "┌╌┐╎└┘", "loss": "╔═╗║╚╝"}
ENTERS, LEAVES = "▼", "┬"
Pins = dict[tuple[int, int], int]  # the column where an edge touches a box, by the box and the other end


class Boxes:
    """Boxes on their layers, on the way to characters: around `texts` of these sizes, with borders by kind."""

    def __init__(self, texts: Sequence[Size], kinds: Sequence[str], edges: Sequence[Edge]) -> None:
        self.kinds = kinds
        self.layers = Layers([(width + 4, height + 2) for width, height in texts], edges, SPACING)
        for v, near in enumerate(zip(self.layers.above, self.layers.below)):
            if v < self.layers.count:  # each edge touches its box in a column of its own, beside the corners
                width, height = self.layers.sizes[v]
                self.layers.sizes[v] = max(width, max(map(len, near)) + 2.0), height
        self.left = [0] * len(self.layers.sizes)
        self.top = [0] * len(self.layers.sizes)

    def narrowest(self) -> float:
        """The width below which no order of the boxes fits."""
        room: dict[int, float] = {}
        for rank, (width, _) in zip(self.layers.rank, self.layers.sizes):
            room[rank] = room.get(rank, -GAP) + width + GAP
        return max(room.values())

    def drawn(self, texts: Sequence[Sequence[str]], labels: Sequence[Sequence[str]]) -> list[str]:
        """The lines of the page, with the text of each box and the label of each edge."""
        self.layers.order()
        self.layers.shift()
        self.place()
        out, into = ({pin: column for layer in self.layers.layers for pin, column in self.pins(layer, near).items()}
                     for near in (self.layers.below, self.layers.above))
        canvas = Canvas()
        self.draw_edges(canvas, out, into)
        for v, text in enumerate(texts):
            self.draw_box(canvas, v, text)
        for (v, _), column in out.items():
            if v < self.layers.count:
                canvas.write(column, self.top[v] + self.height(v) - 1, LEAVES)
        for (v, _), column in into.items():
            if v < self.layers.count:
                canvas.write(column, self.top[v], ENTERS)
        for edge, label in enumerate(labels):
            for k, line in enumerate(label):
                v = self.layers.label_of[edge]
                canvas.write(self.left[v], self.top[v] + k, line)
        return canvas.lines()

    def width(self, v: int) -> int:
        return round(self.layers.sizes[v][0])

    def height(self, v: int) -> int:
        return round(self.layers.sizes[v][1])

    def middle(self, v: int) -> int:
        return self.left[v] + self.width(v) // 2

    def place(self) -> None:
        """The first column of everything: boxes as in the layout; labels and bends in line with their ends, where it is free."""
        layers = self.layers
        for layer in layers.layers:
            free = 0
            for v in layer:
                self.left[v] = max(free, math.floor(layers.x[v] - self.width(v) / 2 + 0.5))
                free = self.left[v] + self.width(v) + GAP
        for upper, layer in pairwise(layers.layers):
            out = self.pins(upper, layers.below)
            for i, v in enumerate(layer):
                if v >= layers.count:
                    self.left[v] = self.nearest(layer, i, out[layers.above[v][0], v])
        for layer, lower in list(pairwise(layers.layers))[::-1]:
            into = self.pins(lower, layers.above)
            for i, v in enumerate(layer):
                if not self.height(v) and len(layers.below[v]) == 1:
                    wish = into[layers.below[v][0], v]
                    self.left[v] = wish if self.nearest(layer, i, wish) == wish else self.left[v]

    def nearest(self, layer: Sequence[int], i: int, column: int) -> int:
        """Where a thing starts that is to be centred on a column, as near as its neighbours in the layer allow."""
        width = self.width(layer[i])
        first = self.left[layer[i - 1]] + self.width(layer[i - 1]) + GAP if i else 0
        last = self.left[layer[i + 1]] - GAP - width if i + 1 < len(layer) else math.inf
        return int(max(first, min(column - width // 2, last)))

    def pins(self, layer: Sequence[int], neighbours: Sequence[Sequence[int]]) -> Pins:
        """The column where each edge touches each box or label of a layer, above or below: of the only edge, in the middle; of
        several, each as near to its other end as there is room."""
        order = {v: i for layer in self.layers.layers for i, v in enumerate(layer)}
        found = {}
        for v in layer:
            near = sorted(neighbours[v], key=order.__getitem__)
            if v >= self.layers.count or (len(near) == 1 and neighbours is self.layers.below):
                found |= {(v, u): self.middle(v) for u in near}
                continue
            room = self.width(v) - 2 - len(near)
            apart = 2 if room >= len(near) - 1 else 1
            margin = min(2, (self.width(v) - 3 - apart * (len(near) - 1)) // 2)
            first, last = self.left[v] + 1 + margin, self.left[v] + self.width(v) - 2 - margin
            at = first - apart
            for k, u in enumerate(near):
                at = max(at + apart, min(self.middle(u), last - apart * (len(near) - 1 - k)))
                found[v, u] = at
        return found

    def draw_edges(self, canvas: Canvas, out: Pins, into: Pins) -> None:
        """Draw all edges, from the top down, which says on which rows things stand."""
        layers, row = self.layers, 0
        for rank, layer in enumerate(layers.layers):
            height = max((self.height(v) for v in layer), default=0)
            below = row + height
            for v in layer:
                self.top[v] = row + (height - self.height(v)) // 2 if self.height(v) else row
                for u in layers.above[v]:
                    canvas.line([(into[v, u], row - 1), (into[v, u], self.top[v])])
                for u in layers.below[v]:
                    canvas.line([(out[v, u], self.top[v] + max(self.height(v) - 1, 0)), (out[v, u], below)])
            nets: dict[int, list[int]] = {}
            for v in layer:
                for u in layers.below[v]:
                    nets.setdefault(out[v, u], []).append(into[u, v])
            rows, paths = routed([(top, tuple(bottoms)) for top, bottoms in nets.items()])
            for path in paths:
                canvas.line([(x, below + y) for x, y in path])
            row = below + max(rows, rank % 2)  # an edge is seen above the box it enters

    def draw_box(self, canvas: Canvas, v: int, text: Sequence[str]) -> None:
        corner, side, end, wall, low, right = BORDERS[self.kinds[v]]
        left, top, width, height = self.left[v], self.top[v], self.width(v), self.height(v)
        canvas.write(left, top, corner + side * (width - 2) + end)
        canvas.write(left, top + height - 1, low + side * (width - 2) + right)
        for k in range(1, height - 1):
            canvas.write(left, top + k, wall + " " * (width - 2) + wall)
        for k, line in enumerate(text, 1):
            canvas.write(left + 2, top + k, line)
