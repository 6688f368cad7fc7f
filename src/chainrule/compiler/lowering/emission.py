"""An emission writes the kernel of a group: its loops, and in them each member where its arguments are known."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .affine import ZERO, Affine, Place, flat
from .groups import Group, dims_in
from .nodes import Node, Ref, Store, beneath, strided
from .scalars import Scalar
from .spilling import spills
from .writer import Writer

NEUTRAL = {"sum": 0, "prod": 1, "any": False, "all": True}
OPERATION = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum", "any": "logical_or", "all": "logical_and"}


def neutral(combine: str, dtype: np.dtype[Any]) -> Any:
    """What a fold of nothing gives."""
    if combine in NEUTRAL:
        return NEUTRAL[combine]
    low = combine == "max"
    if dtype.kind == "f":
        return -np.inf if low else np.inf
    if dtype.kind == "b":
        return not low
    info = np.iinfo(dtype)
    return int(info.min if low else info.max)


class Context:
    """What a map's `run` may ask for besides its arguments: its place, and elements of arrays in memory."""

    def __init__(self, emission: Emission, node: Node, place: Place) -> None:
        self.node, self.place, self.writer = node, place, emission.writer

    def position(self, axis: int) -> Scalar:
        """The element's index along an axis, as a number."""
        return self.writer.position(self.place[axis])

    def constant(self, value: Any, dtype: Any) -> Scalar:
        return self.writer.constant(value, np.dtype(dtype))

    def read(self, k: int, place: tuple[Affine | Scalar, ...], guard: Scalar | None = None) -> Scalar:
        """An element of foreign array `k`; an index along an axis may be a computed number."""
        ref = self.node.foreign[k]
        store = ref.node.stores[0]
        view = strided(ref, store.strides)
        assert view is not None, "a foreign array is a plain view"
        offset, strides = view
        fixed, found = ZERO.shifted(offset), []
        for index, stride in zip(place, strides):
            if isinstance(index, Scalar):
                found.append((index, stride))
            else:
                fixed = fixed.plus(index.scaled(stride))
        return self.writer.read(ref.node, store, fixed, found, guard)


class Emission:
    """The kernel of one group, being written.

    `given` says of members where they lie already. `stretch` is the number of the stretch of the outermost loop that the loops
    go over, an affine index.
    """

    def __init__(self, group: Group, writer: Writer, given: dict[Node, Store] | None = None, stretch: Affine = ZERO) -> None:
        self.group, self.writer, self.given, self.stretch = group, writer, given or {}, stretch
        self.phase: dict[Node, int] = {}
        self.now = 0
        for node in group.members:
            made = max((self.phase.get(source, 0) for source in beneath(node.args) if node not in self.given), default=0)
            self.phase[node] = made + self.is_phase(node)
        self.spilled = spills(group, self.phase, self.is_phase)
        self.sums: dict[Node, Scalar] = {}
        self.guard: Callable[[], Scalar] | None = None  # where old values may be overwritten
        self.guards_all = False  # whether nothing is written elsewhere

    def is_phase(self, node: Node) -> bool:
        """Whether a member is a fold for which the inner loops are run."""
        return node.kind == "reduce" and node not in self.group.inline and node not in self.group.terminals

    def depth(self, node: Node) -> int:
        """How many of the loops a member needs."""
        dims = self.group.dims_of(node)
        return max((i + 1 for i, d in enumerate(self.group.loops) if d in dims), default=0)

    # ------------------------------------------------------------------------------------ values
    def value(self, node: Node) -> Scalar:
        """A member's value in the current rounds."""
        known = self.writer.recall(node)
        if known is not None:
            return known
        spill = self.spilled.get(node)
        if spill is not None and self.phase[node] < self.now:
            return self.writer.read(spill.result, spill.store, spill.place)
        store = self.given.get(node)
        if store is None and node.stores and self.phase[node] < self.now and self.depth(node) > len(self.group.outer):
            store = node.stores[0]
        if store is not None:
            return self.writer.read(node, store, flat(self.group.places[node], store.strides))
        if node.kind == "reduce":
            return self.writer.remember(node, self.folded(node))
        args = [self.argument(node, ref) for ref in node.args]
        return self.writer.remember(node, self.run(node, self.group.places[node], args))

    def run(self, node: Node, place: Place, args: list[Scalar]) -> Scalar:
        assert node.run is not None
        outside, self.writer.origin = self.writer.origin, node.origin
        made: Scalar = node.run(Context(self, node, place), *args).cast(node.dtype)
        self.writer.origin = outside
        return made

    def argument(self, node: Node, ref: Ref) -> Scalar:
        """The element of an argument that a member needs in the current rounds."""
        return self.element(ref.node, self.group.argument_place(node, ref))

    def element(self, node: Node, place: Place) -> Scalar:
        """An element of a node: of a member what it is here, of others what lies in memory; free ones are computed."""
        if self.group.places.get(node) == place and node in self.phase:
            return self.value(node)
        if node.number is not None:
            return self.writer.constant(node.number, node.dtype)
        if node.stores:
            return self.writer.read(node, node.stores[0], flat(place, node.stores[0].strides))
        assert node.free, f"{node.origin.operation} is not in memory"
        known = self.writer.recall((node, place))
        if known is not None:
            return known
        args = [self.element(ref.node, ref.back(place, self.writer.sizes)) for ref in node.args]
        return self.writer.remember((node, place), self.run(node, place, args))

    def folded(self, node: Node) -> Scalar:
        """An inline fold: loops of its own, in the outermost loop where its result is known."""
        writer, dims = self.writer, self.group.inline[node]
        level = writer.level_of(self.group.dims_of(node))
        deeper = writer.scopes[level + 1:]
        del writer.scopes[level + 1:]
        hidden = {s.dim: writer.variables.pop(s.dim) for s in deeper if s.dim is not None}
        total = writer.start(node.combine, node.dtype, level)
        for dim in dims:
            writer.open(dim)
        writer.gather(total, self.argument(node, node.args[0]).cast(node.dtype))
        for _ in dims:
            writer.close()
        writer.scopes.extend(deeper)
        writer.variables.update(hidden)
        return total

    # ------------------------------------------------------------------------------------ loops
    def nest(self, level: int = 0) -> None:
        """The loops from `level` inwards."""
        outer = self.group.outer
        if level == len(outer):
            return self.phases()
        self.store(n for n in self.group.members if self.span_depth(n) == level)
        last = level + 1 == len(self.group.loops)
        running = self.run_sums([outer[level]], self.group.terminals) if last else []
        self.writer.open(outer[level])
        own = level == 0 and self.group.apart
        if own:
            self.begin()
        self.nest(level + 1)
        self.writer.close("vector" if last else "serial" if self.group.terminals and not own else "parallel")
        self.keep_sums(running)
        return None

    def run_sums(self, dims: list[int], nodes: Iterable[Node]) -> list[Node]:
        """Let the terminals among the nodes that add to the same element of their sums in all rounds of these loops, which are
        opened next, have a number of their own for that."""
        still = [n for n in nodes if n in self.group.terminals and n not in self.sums
                 and dims_in(self.group.inner[n]) - self.group.dims_of(n) >= set(dims)]
        for node in still:
            self.sums[node] = self.writer.start(node.combine, node.dtype, len(self.writer.scopes) - 1)
        return still

    def keep_sums(self, running: list[Node]) -> None:
        """After the loop, add these numbers to the sums in memory."""
        for node in running:
            self.add_to_memory(node, self.sums.pop(node))

    def store(self, nodes: Iterable[Node]) -> None:
        """Write those of the members that somebody else needs, and add to the sums in memory. All values are computed before the
        first is written, which may be in the place of another that is read."""
        values = []
        for node in nodes:
            self.writer.origin = node.origin
            if node in self.group.terminals:
                self.add(node)
                continue
            values += [(node, store, self.value(node)) for store in node.stores if store is not self.given.get(node)]
        for node, store, value in values:
            self.writer.origin = node.origin
            guard = self.guard() if self.guard and (self.guards_all or store in self.group.overwrites) else None
            self.writer.write(node, store, flat(self.group.places[node], store.strides), value, guard=guard)

    def phases(self) -> None:
        """In the innermost of the outer loops: what is known there, then the inner loops, once for each phase."""
        group, depth = self.group, len(self.group.outer)
        rows = group.loops[depth:]
        for now in range(max(self.phase.values(), default=0) + 1):
            self.now = now
            due = [n for n in group.members if self.phase[n] == self.now and (n.stores or n in group.terminals)]
            self.store(n for n in due if self.span_depth(n) == depth)
            inside = [n for n in due if self.span_depth(n) > depth]
            folds = [n for n in group.members if self.is_phase(n) and self.phase[n] == self.now + 1]
            if not inside and not folds:
                continue
            totals = [self.writer.start(n.combine, n.dtype, len(self.writer.scopes) - 1) for n in folds]
            running = []
            for i, dim in enumerate(rows):
                running.append(self.run_sums(rows[i:], inside))
                self.writer.open(dim)
            for node, total in zip(folds, totals):
                self.writer.gather(total, self.argument(node, node.args[0]).cast(node.dtype))
            for node, spill in self.spilled.items():
                if self.phase[node] == self.now:
                    self.writer.write(spill.result, spill.store, spill.place, self.value(node))
            self.store(inside)
            for dim in reversed(rows):
                self.writer.close("vector" if dim == rows[-1] else "serial")
                self.keep_sums(running.pop())
            for node, total in zip(folds, totals):
                self.writer.remember(node, total)

    def span_depth(self, node: Node) -> int:
        """How many of the loops stand around a member's statement."""
        if node not in self.group.terminals:
            return self.depth(node)
        dims = {d for index in self.group.inner[node] for d, _ in index.terms}
        return max((i + 1 for i, d in enumerate(self.group.loops) if d in dims), default=0)

    # ------------------------------------------------------------------------------------ terminals
    def partial_place(self, node: Node) -> tuple[Node, Store, Affine]:
        """Where the sums of a terminal are kept."""
        leaf = self.group.terminals[node]
        store = leaf.stores[0]
        return leaf, store, flat((self.stretch, *self.group.places[node]), store.strides)

    def begin(self) -> None:
        """Set the sums of terminals to the neutral element."""
        for node, leaf in self.group.terminals.items():
            start = self.writer.constant(neutral(node.combine, node.dtype), node.dtype)
            if not self.group.dims_of(node):
                self.sums[node] = self.writer.start(node.combine, node.dtype, len(self.writer.scopes) - 1)
                continue
            if self.group.apart:
                dims = [d for d in self.group.loops[1:] if d in self.group.dims_of(node)]
                place = (self.stretch, *self.group.places[node])
            else:
                dims = [self.fresh(n) for n in node.shape]
                place = (self.stretch, *(Affine(0, ((d, 1),)) for d in dims))
            for dim in dims:
                self.writer.open(dim)
            self.writer.write(leaf, leaf.stores[0], flat(place, leaf.stores[0].strides), start)
            for dim in reversed(dims):
                self.writer.close("vector" if dim == dims[-1] else "serial")

    def fresh(self, size: int) -> int:
        dim = max(self.writer.sizes, default=0) + 1000
        self.writer.sizes[dim] = size
        return dim

    def add(self, node: Node) -> None:
        """Add the value in the current rounds to a terminal's sums."""
        value = self.argument(node, node.args[0]).cast(node.dtype)
        if node in self.sums:
            return self.writer.gather(self.sums[node], value)
        return self.add_to_memory(node, value)

    def add_to_memory(self, node: Node, value: Scalar) -> None:
        leaf, store, place = self.partial_place(node)
        old = self.writer.read(leaf, store, place)
        self.writer.write(leaf, store, place, old.apply(OPERATION[node.combine], value))

    def end(self) -> None:
        """Write the sums that were not kept in memory."""
        for node, total in self.sums.items():
            leaf, store, place = self.partial_place(node)
            self.writer.write(leaf, store, place, total)
