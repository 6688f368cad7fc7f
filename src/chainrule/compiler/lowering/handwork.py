"""Handwork is a kernel written loop by loop, over views of arrays, for what no node computes element by element."""
from __future__ import annotations

from typing import Any

from ..loops.language import Kernel, Origin
from ..plan import Launch, View
from .affine import ZERO, Affine
from .launching import arrays_of
from .nodes import Node, Store
from .scalars import Scalar
from .tidying import collapsed
from .writer import INT, Writer

Index = tuple[Affine | Scalar, ...]
"""For each axis of a view, an affine index or a computed number."""


class Hand:
    """A kernel being written. Loops are opened and closed; views are read and written at an index for each of their axes."""

    def __init__(self, origin: Origin) -> None:
        self.writer = Writer({})
        self.writer.origin = self.origin = origin
        self.leaves: dict[int, Node] = {}  # by the view's id; the views live as long as the steps are made

    # ------------------------------------------------------------------------------------ loops
    def open(self, *sizes: int) -> tuple[Affine, ...]:
        """Open loops, the outermost first; their indices."""
        made = []
        for size in sizes:
            dim = len(self.writer.sizes)
            self.writer.sizes[dim] = size
            self.writer.open(dim)
            made.append(Affine(0, ((dim, 1),)))
        return tuple(made)

    def close(self, *kinds: Any) -> None:
        """Close as many loops as there are kinds; the innermost has the last kind."""
        for kind in reversed(kinds):
            self.writer.close(kind)

    # ------------------------------------------------------------------------------------ memory
    def leaf(self, view: View) -> tuple[Node, Store]:
        if id(view) not in self.leaves:
            store = Store(view.place.buffer, view.place.offset, view.strides, view.place.steps)
            self.leaves[id(view)] = Node(view.shape, view.dtype, "leaf", stores=[store])
        node = self.leaves[id(view)]
        return node, node.stores[0]

    def place(self, view: View, index: Index) -> tuple[Affine, list[tuple[Scalar, int]]]:
        fixed, found = ZERO, []
        for i, stride in zip(index, view.strides):
            if isinstance(i, Scalar):
                found.append((i, stride))
            else:
                fixed = fixed.plus(i.scaled(stride))
        return fixed, found

    def read(self, view: View, index: Index, guard: Scalar | None = None) -> Scalar:
        node, store = self.leaf(view)
        return self.writer.read(node, store, *self.place(view, index), guard)

    def write(self, view: View, index: Index, value: Scalar, guard: Scalar | None = None) -> None:
        node, store = self.leaf(view)
        place, found = self.place(view, index)
        self.writer.write(node, store, place, value, found, guard)

    def constant(self, value: Any, dtype: Any) -> Scalar:
        return self.writer.constant(value, dtype)

    def launch(self) -> Launch:
        """The kernel, finished."""
        kernel = Kernel(arrays_of(self.writer), collapsed(tuple(self.writer.scopes[0].statements)), self.origin.operation)
        return Launch(kernel, tuple(store.place() for store in self.writer.arrays))


def kinds_for(count: int, outer: str = "parallel") -> tuple[str, ...]:
    """Loops over independent rounds: all parallel, the innermost over lanes."""
    return (*[outer] * (count - 1), "vector") if count else ()


def everywhere(hand: Hand, target: View, value: Any) -> None:
    """Write `value(index)` everywhere."""
    order = sorted(range(len(target.shape)), key=lambda a: -target.strides[a])
    opened = hand.open(*(target.shape[a] for a in order))
    index = tuple(opened[order.index(a)] for a in range(len(order)))
    hand.write(target, index, value(index))
    hand.close(*kinds_for(len(order)))


def wrapped(i: Scalar, size: int) -> Scalar:
    """An index counted from the front, kept inside of its axis: compiled code must not read or write beyond arrays."""
    place = i.cast(INT)
    place = (place < 0).chosen(place + size, place)
    return place.apply("maximum", 0).apply("minimum", size - 1)

