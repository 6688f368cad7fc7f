"""Repeating runs the body of a loop over time once for each row of its arrays: lowered once, with places that move on.

What a step leaves for the next one, a carry, lies in one of two ways. If its values are rows of a result anyway, it lies in a
tall array with one row more than there are steps, in which each step reads one row and writes its neighbour. Otherwise it has one
place, into which the kernel that computes it writes directly, if nothing reads the old value after that; else it is copied there
at the end of the step.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chainrule.core.stage import Line, Symbol
from chainrule.core.type import Shape, typeof
from chainrule.ops.loop_body import Body

from ..plan import Repeat, Step, View
from .building import Builder, Opaque
from .fusion import Fusion
from .looping import inside_kernel
from .moves import sliced
from .nodes import Node, Ref, Store, strided, strides_in, whole
from .overwriting import may_overwrite

MANY = 8
"""So many steps are worth laying a matrix out anew before them."""
AXIS = {"linear": 0, "matmul": 1, "chain_matmul": 1}
"""Along which axis of its second factor a product reads side by side."""


class Machine(NamedTuple):
    """The parts of lowering that a body goes through in its turn: `handle` builds a line, `output` a result, and `planned` gives
    the steps of a builder."""

    handle: Callable[[Builder, Line], None]
    output: Callable[[Builder, Any], Ref]
    planned: Callable[..., list[Step]]


# ---------------------------------------------------------------------------------------- what lies where
@dataclass(frozen=True)
class Times:
    """The steps of a loop, and where the rows of an array are that each of them is at."""

    variable: str
    length: int
    reverse: bool

    def row(self, view: View, further: int = 0) -> Store:
        """The row of the step in an array of rows; in an array with one row more, `further` says which of its two rows."""
        first = self.length - 1 if self.reverse else 0
        stride = view.strides[0] if view.shape[0] > 1 else 0
        place = view.place
        return Store(place.buffer, place.offset + (first + further) * stride, view.strides[1:],
                     (*place.steps, (self.variable, -stride if self.reverse else stride)))

    @property
    def read(self) -> int:
        """Which of the two rows of a tall array a step reads; it writes the other."""
        return int(self.reverse)

    def begin(self, view: View) -> Store:
        """The row of a tall array that is there before the first step."""
        row = self.length if self.reverse else 0
        return Store(view.place.buffer, view.place.offset + row * view.strides[0], view.strides[1:], view.place.steps)


@dataclass(frozen=True)
class Carry:
    """A value handed from step to step: what it is in a step and after it, and the rows that hold one or the other."""

    before: Symbol
    after: Any
    rows_before: tuple[int, ...]
    rows_after: tuple[int, ...]

    @property
    def tall(self) -> bool:
        return bool(self.rows_before or self.rows_after)


def carries_of(body: Body, count: int) -> list[Carry]:
    """The carries; rows that hold them are those of the first carry that has them."""
    found, taken = [], set()
    for before, after in zip(body.inputs[:count], body.output):
        rows: list[tuple[int, ...]] = []
        for value in (before, after):
            fitting = isinstance(value, Symbol) and after is not before and typeof(value)[:2] == before.type[:2]
            rows.append(tuple(j for j, y in enumerate(body.output) if j >= count and y is value and fitting and j not in taken))
            taken.update(rows[-1])
        found.append(Carry(before, after, *rows))
    return found


# ---------------------------------------------------------------------------------------- the line
@dataclass
class Loop:
    """A line of `scan` while it is lowered: its arguments, and the nodes of its results."""

    machine: Machine
    builder: Builder
    body: Body
    length: int
    carries: list[Carry]
    scanned: int
    reverse: bool
    args: list[Ref] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)  # of the carries, then of the other rows
    others: dict[int, int] = field(default_factory=dict)  # for the number of an output that is a row of its own, its node

    # ------------------------------------------------------------------------------------ arguments and results
    def take(self, args: Sequence[Ref]) -> None:
        """See that arguments lie in memory as they are needed; what comes from nothing but its place may stay that."""
        rows = range(len(self.carries), len(self.carries) + self.scanned)
        for i, x in enumerate(args):
            if i in rows:
                x = self.builder.viewable(x)
                view = strided(x, strides_in(x.node))
                if view is not None and any(s < 0 for s in view[1][1:]):
                    x = self.builder.copy(x)
            elif i >= len(self.carries) and self.is_weight(self.body.inputs[i]):
                x = self.builder.copy(x)
                x.node.preferred = (1, 0)  # read in every step, and fastest so
            elif not from_nothing(x):
                x = self.builder.viewable(x)
                x = x if i < len(self.carries) else self.ready(x, self.body.inputs[i])
            self.args.append(x)

    def is_weight(self, symbol: Symbol) -> bool:
        """Whether a body's input, the same in all steps, is nothing but the weight of linear layers."""
        lines = [line for line in self.body.lines if any(a is symbol for a in line.args)]
        return bool(lines) and all(line.prim.name == "linear" and line.args[1] is symbol and line.args[0] is not symbol
                                   for line in lines)

    def ready(self, x: Ref, symbol: Symbol) -> Ref:
        """A captured matrix, laid out so that the products of all steps find side by side what they read at once."""
        axes = {AXIS.get(line.prim.name) for line in self.body.lines for k, a in enumerate(line.args)
                if a is symbol and k == 1 and typeof(line.args[0]).ndim > 1}
        view = strided(x, strides_in(x.node))
        if len(x.shape) != 2 or self.length < MANY or view is None or len(axes) != 1 or None in axes:
            return x
        (axis,) = axes
        if view[1][axis] == 1:
            return x
        order = (0, 1) if axis == 1 else (1, 0)
        x = self.builder.copy(self.builder.permute(x, order))
        x.node.contiguous = True
        return self.builder.permute(x, order)

    def results(self) -> tuple[Ref, ...]:
        """The nodes that the loop computes, and the loop's results as views of them."""
        n, found = len(self.carries), {}
        last, first = (0, 1) if self.reverse else (self.length, 0)
        for i, carry in enumerate(self.carries):
            shape, dtype = carry.before.type[:2]
            if not carry.tall:
                found[i] = self.new(shape, dtype)
                continue
            tall = self.new((self.length + 1, *shape), dtype)
            found[i] = self.part(tall, last)
            for rows, begin in ((carry.rows_before, first), (carry.rows_after, 1 - first)):
                found.update({j: self.part(tall, slice(begin, begin + self.length)) for j in rows})
        same: dict[int, int] = {}
        for j, y in enumerate(self.body.output):
            if j >= n and j not in found:
                if id(y) not in same:
                    same[id(y)] = self.others[j] = len(self.nodes)
                    self.new((self.length, *typeof(y).shape), typeof(y).dtype)
                found[j] = whole(self.nodes[same[id(y)]])
        inputs = tuple(x for x in self.args if not from_nothing(x))
        self.builder.items.append(Opaque(inputs, tuple(self.nodes), self.steps, self.builder.origin))
        return tuple(found[j] for j in range(len(self.body.output)))

    def new(self, shape: Shape, dtype: Any) -> Ref:
        self.nodes.append(Node(shape, dtype, "leaf", origin=self.builder.origin))
        return whole(self.nodes[-1])

    def part(self, ref: Ref, key: Any) -> Ref:
        move = sliced(ref.shape, (key,))
        return self.builder.move(ref, move, move.new)

    # ------------------------------------------------------------------------------------ steps
    def steps(self, views: list[View], outputs: list[View]) -> list[Step]:
        """The loop, now that it is known where arguments and results lie."""
        times = Times(self.builder.buffers.variable(), self.length, self.reverse)
        inner = Builder(self.builder.buffers)
        given = iter(views)
        seen = [None if from_nothing(x) else next(given) for x in self.args]
        places = self.inputs(inner, times, seen, outputs)
        for line in self.body.lines:
            self.machine.handle(inner, line)
        late: list[tuple[Node, Store]] = []
        waiting = self.outputs(inner, times, outputs)

        def arrange(fusion: Fusion) -> None:
            for node, store, leaf in waiting:
                if may_overwrite(fusion, node, leaf):
                    node.stores.append(store)
                else:
                    late.append((node, store))
                    node.stores.append(self.builder.buffers.scratch(node))
        steps = self.machine.planned(inner, arrange)
        steps += self.copied((leaf_at(node.shape, node.dtype, node.stores[0]), store) for node, store in late)
        before = self.copied((at_hand(x), store) for x, store in places)
        return [*before, inside_kernel(Repeat(times.variable, self.length, tuple(steps)))]

    def inputs(self, inner: Builder, times: Times, views: list[View | None], outputs: list[View]) -> list[tuple[Ref, Store]]:
        """Give the body's inputs their places; for each carry, its first value and where to put that."""
        first = []
        for i, (symbol, x, view) in enumerate(zip(self.body.inputs, self.args, views)):
            if i < len(self.carries):
                carry, out = self.carries[i], outputs[i]
                here = Store(out.place.buffer, out.place.offset, out.strides, out.place.steps)
                store = times.row(out, times.read) if carry.tall else here
                first.append((x, times.begin(out) if carry.tall else here))
                inner.values[symbol] = leaf_at(*symbol.type[:2], store)
            elif view is not None and i < len(self.carries) + self.scanned:
                inner.values[symbol] = leaf_at(*symbol.type[:2], times.row(view))
            else:
                inner.values[symbol] = at_hand(x)
        return first

    def outputs(self, inner: Builder, times: Times, outputs: list[View]) -> list[tuple[Node, Store, Node]]:
        """Give the body's results their places; for carries with one place: the node, its place, and the old value there."""
        waiting = []
        for i, carry in enumerate(self.carries):
            if carry.after is carry.before:
                continue
            ref = self.machine.output(inner, carry.after)
            if ref.dtype != carry.before.dtype:
                ref = inner.copy(inner.zip(lambda x, d=carry.before.dtype: x.cast(d), ref, dtype=carry.before.dtype))
                inner.outputs[ref.node] = len(inner.outputs)
            leaf = inner.values[carry.before].node
            if carry.tall:
                ref.node.stores.append(times.row(outputs[i], 1 - times.read).seen_as(ref.node.shape))
            else:
                waiting.append((ref.node, leaf.stores[0].seen_as(ref.node.shape), leaf))
        for j, k in self.others.items():
            node = self.machine.output(inner, self.body.output[j]).node
            node.stores.append(times.row(outputs[k]).seen_as(node.shape))
        return waiting

    def copied(self, pairs: Any) -> list[Step]:
        """Steps that put values into places."""
        builder = Builder(self.builder.buffers)
        for x, store in pairs:
            node = builder.copy(x).node
            node.stores.append(store)
            node.contiguous = True
            builder.outputs[node] = len(builder.outputs)
        return self.machine.planned(builder)


def leaf_at(shape: Shape, dtype: Any, store: Store) -> Ref:
    return whole(Node(shape, dtype, "leaf", stores=[store]))


def from_nothing(x: Ref) -> bool:
    """Whether a value needs nothing in memory."""
    return x.node.free and not x.node.weight


def at_hand(x: Ref) -> Ref:
    """A value of the program around the loop, inside: where it lies, or as it comes from nothing but its place."""
    if from_nothing(x):
        return x
    return Ref(Node(x.node.shape, x.dtype, "leaf", stores=x.node.stores[:1]), x.moves, x.shape)


def scan(machine: Machine, builder: Builder, line: Line, *args: Ref, body: Body, length: int, carries: int, scanned: int,
         reverse: bool) -> tuple[Ref, ...]:
    """A line of `scan`: the last carries, and the rows of all steps."""
    loop = Loop(machine, builder, body, length, carries_of(body, carries), scanned, reverse)
    loop.take(args)
    return loop.results()
