"""A group is a set of nodes that one kernel computes in one nest of loops, each node at its own place in them."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .affine import Affine, NeedsSplit, Place
from .nodes import Node, Ref, Store


@dataclass(eq=False)
class Group:
    """Members in the order in which they are computed, and the loops' dimensions.

    `places` says where in a member the current rounds of the loops are, `anchors` the same of arrays that are read there.
    `order` has the dimensions as they lie in memory, the outermost first; the loops over those in `rows` stand inside the
    others, and are run once for every phase. `inline` gives reductions loops of their own. A `terminal` reduction is used by no
    other member: its sums are kept in memory, apart for each of `chunks` stretches of the outermost loop, if that is folded.
    """

    sizes: dict[int, int] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)
    members: list[Node] = field(default_factory=list)
    places: dict[Node, Place] = field(default_factory=dict)
    anchors: dict[Node, Place] = field(default_factory=dict)
    inner: dict[Node, Place] = field(default_factory=dict)  # a reduction's place in its argument
    inline: dict[Node, tuple[int, ...]] = field(default_factory=dict)
    terminals: dict[Node, Node] = field(default_factory=dict)  # the reduction, and the leaf with its partial results
    chunks: int = 1
    sources: dict[Node, list[tuple[Node, Place]]] = field(default_factory=dict)  # what `reached` found
    product: Any = None  # the contraction, where the group is its epilogue
    overwrites: set[Store] = field(default_factory=set)  # places that hold old values, which members read

    @property
    def loops(self) -> list[int]:
        """The dimensions in the order of the loops."""
        return [*self.outer, *(d for d in self.order if d in self.rows)]

    @property
    def outer(self) -> list[int]:
        return [d for d in self.order if d not in self.rows]

    @property
    def apart(self) -> bool:
        """Whether each round of the outermost loop has terminals' sums of its own."""
        return bool(self.terminals and self.chunks == 1 and self.outer) and all(
            self.outer[0] in self.dims_of(node) for node in self.terminals)

    def new_dim(self, size: int) -> int:
        dim = max(self.sizes, default=-1) + 1
        self.sizes[dim] = size
        return dim

    def split(self, need: NeedsSplit) -> None:
        """Make two loops of one, wherever it occurs."""
        dim = need.dim
        self.sources.clear()
        outer = self.new_dim(self.sizes[dim] // need.inner)
        self.sizes[dim] = need.inner
        by = Affine(0, tuple(sorted(((outer, need.inner), (dim, 1)))))
        for places in (self.places, self.anchors, self.inner):
            for node, place in places.items():
                places[node] = tuple(index.replaced(dim, by) for index in place)
        if dim in self.order:
            self.order.insert(self.order.index(dim), outer)
        for node, dims in self.inline.items():
            self.inline[node] = tuple(x for d in dims for x in ((outer, dim) if d == dim else (d,)))
        if dim in self.rows:
            self.rows.add(outer)
        if self.product is not None:
            self.product.split(dim, outer, need.inner)

    def resolve(self, ref: Ref, place: Callable[[], Place]) -> Place:
        """Where a view's element is in its node; loops are split where that is needed, so the place is asked for again."""
        while True:
            try:
                return ref.back(place(), self.sizes)
            except NeedsSplit as need:
                self.split(need)

    def argument_place(self, node: Node, ref: Ref) -> Place:
        """Where a member's argument is, in the node it is a view of."""
        where = self.inner if node.kind == "reduce" else self.places
        return self.resolve(ref, lambda: where[node])

    def dims_of(self, node: Node) -> set[int]:
        """The loops in which a member's value changes."""
        return dims_in(self.places[node])

    def forget_unused(self) -> None:
        """Drop loops that no member needs."""
        self.sources.clear()
        used = set().union(*(dims_in(self.inner.get(m, self.places[m])) | self.dims_of(m) for m in self.members))
        self.order = [d for d in self.order if d in used]

    def settle(self) -> None:
        """Split the loops as far as the members' arguments need it."""
        for node in self.members:
            self.reached(node)

    def reached(self, node: Node) -> list[tuple[Node, Place]]:
        """All that a member is computed from, through free nodes, each where it is read; loops are split as needed."""
        while node not in self.sources:
            try:
                where = self.inner if node.kind == "reduce" else self.places
                self.sources[node] = list(self.found(node.args, where[node]))
            except NeedsSplit as need:
                self.split(need)
        return self.sources[node]

    def found(self, refs: Iterable[Ref], place: Place) -> Iterator[tuple[Node, Place]]:
        for ref in refs:
            source = ref.back(place, self.sizes)
            if ref.node.free:
                yield from self.found(ref.node.args, source)
            else:
                yield ref.node, source


def dims_in(place: Place) -> set[int]:
    return {d for index in place for d, _ in index.terms}
