"""Building turns the lines of a graph into nodes: what is stored, mapped and folded, and what is left to other kernels."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from chainrule.core.stage import Line, Symbol
from chainrule.core.type import Shape, Type, typeof

from ..loops.language import Combine, Origin
from ..plan import Step, View
from .affine import strides_of
from .emission import Context, neutral
from .memory import Buffers
from .moves import Broadcast, Move, Permute, Reshape
from .nodes import Node, Ref, Store, splittable, strided, strides_in, whole
from .scalars import Scalar


@dataclass(eq=False)
class Opaque:
    """Steps that are not built of nodes: they read views of stored arrays, and write their results.

    `make(views of inputs, views of outputs)` gives the steps. `inputs` may hold constants, which it is given as they are. The
    steps come after what computes `after`, which they do not read.
    """

    inputs: tuple[Any, ...]
    outputs: tuple[Node, ...]
    make: Callable[[list[Any], list[View]], Sequence[Step]]
    origin: Origin
    after: tuple[Ref, ...] = ()


LIGHT = 5
"""So many cheap steps are done again wherever their result is used, rather than stored."""

OF_BOOLEANS: dict[Combine, Combine] = {"max": "any", "sum": "any", "min": "all", "prod": "all"}
"""What a fold is called where the elements are booleans."""

Handler = Callable[..., Any]
"""`(builder, line, *refs, **params)` -> a Ref, or a tuple of them; a missing argument is None."""


@dataclass
class Builder:
    """The nodes so far, and where the values of the graph's symbols are. A loop's body has a builder of its own, which shares the
    buffers of the plan."""

    buffers: Buffers = field(default_factory=Buffers)
    items: list[Any] = field(default_factory=list)
    values: dict[Symbol, Ref] = field(default_factory=dict)
    constants: dict[int, Ref] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)  # arrays whose id is a key
    same: dict[Any, Ref] = field(default_factory=dict)  # maps and folds by what they mean
    framed: dict[Any, Ref] = field(default_factory=dict)  # operands in layouts with borders
    outputs: dict[Node, int] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin)

    # ------------------------------------------------------------------------------------ leaves
    def ref(self, a: Any) -> Ref | None:
        """An argument of a line."""
        if a is None:
            return None
        if isinstance(a, Symbol):
            return self.values[a]
        if isinstance(a, np.ndarray) and a.ndim:
            if id(a) not in self.constants:
                self.kept.append(a)
                self.constants[id(a)] = self.array(a)
            return self.constants[id(a)]
        return self.number(np.asarray(a).item(), typeof(a).dtype)

    def number(self, value: Any, dtype: Any) -> Ref:
        return whole(Node((), np.dtype(dtype), "map", free=True, number=value))

    def array(self, a: np.ndarray[Any, Any]) -> Ref:
        """A constant array; one that repeats a number, counts along an axis or is a triangle is not stored."""
        if a.size and a.dtype.kind in "biuf" and (a == a.flat[0]).all() and not (a.flat[0] == 0 and np.signbit(a.flat[0])):
            return self.broadcast(self.number(a.flat[0].item(), a.dtype), a.shape)
        for recognize in (counting, triangle):
            run = recognize(a)
            if run is not None:
                return self.map(run, a.shape, a.dtype)
        node = Node(a.shape, a.dtype, "leaf")
        name = self.buffers.add(f"c{len(self.buffers.all)}", a.dtype, a.size, "constant", np.ascontiguousarray(a))
        node.stores.append(Store(name, 0, strides_of(a.shape)))
        return whole(node)

    # ------------------------------------------------------------------------------------ nodes
    def map(self, run: Callable[..., Any], shape: Shape, dtype: Any, *args: Ref, foreign: tuple[Ref, ...] = (),
            costly: bool = False) -> Ref:
        """A new node of scalars, or one that is computed wherever it is used, if it depends on nothing in memory."""
        node = Node(shape, np.dtype(dtype), "map", args, tuple(map(self.viewable, foreign)), run, origin=self.origin,
                    costly=costly)
        alone = all(r.node.free and not r.node.weight for r in args)
        node.weight = 0 if alone else 1 + sum(r.node.weight for r in args)
        given = all(r.node.free or r.node.stores for r in args)
        node.free = not foreign and given and not (costly and (prod(shape) > 1 or not alone)) and node.weight <= LIGHT
        if not node.free:
            node.weight = 0
            self.items.append(node)
        return whole(node)

    def zip(self, run: Callable[..., Any], *args: Ref, dtype: Any = None, costly: bool = False) -> Ref:
        """A map of arguments that broadcast, by a formula on scalars alone."""
        shape = np.broadcast_shapes(*(a.shape for a in args))
        key = (meaning(run), *map(identity, args), dtype)
        if key not in self.same:
            self.same[key] = self.map(lambda context, *scalars: run(*scalars), shape, dtype or args[0].dtype, *args,
                                      costly=costly)
        return self.same[key]

    def reduce(self, x: Ref, axes: Shape, combine: Combine = "sum", *, keepdims: bool = True) -> Ref:
        """A fold over axes."""
        shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
        combine = OF_BOOLEANS.get(combine, combine) if x.dtype.kind == "b" else combine
        if 0 in x.shape:
            found = self.broadcast(self.number(neutral(combine, x.dtype), x.dtype), shape)
        elif all(x.shape[a] == 1 for a in axes):
            found = self.reshape(x, shape)
        else:
            key = (combine, identity(x), axes)
            if key not in self.same:
                node = Node(shape, x.dtype, "reduce", (x,), combine=combine, axes=axes, origin=self.origin)
                self.items.append(node)
                self.same[key] = whole(node)
            found = self.same[key]
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        return self.reshape(found, kept) if keepdims else found

    def opaque(self, inputs: Sequence[Any], types: Sequence[Type], make: Callable[..., Sequence[Step]], *,
               contiguous: bool = False) -> tuple[Ref, ...]:
        """Steps of another kind; their arguments are made to lie in memory, in C order if that is asked for."""
        held = []
        for x in inputs:
            if isinstance(x, Ref):
                x = self.viewable(x)
                if contiguous and not self.in_order(x):
                    x = self.copy(x)
                    x.node.contiguous = True
            held.append(x)
        outputs = tuple(Node(t.shape, t.dtype, "leaf", origin=self.origin) for t in types)
        self.items.append(Opaque(tuple(held), outputs, make, self.origin))
        return tuple(map(whole, outputs))

    # ------------------------------------------------------------------------------------ moves
    def move(self, x: Ref, move: Move, shape: Shape) -> Ref:
        moved = x.moved(move, shape)
        if 0 in shape or splittable(moved):
            return moved
        return self.alias(x, shape) if isinstance(move, Reshape) else self.copy(x).moved(move, shape)

    def alias(self, x: Ref, shape: Shape) -> Ref:
        """The same elements in the same order in another shape, which no loops over the old one reach."""
        scattered = strides_in(x.node) != strides_of(x.node.shape)
        if x.moves or x.node.free or scattered or not (x.node.stores or x.node.frame is None):
            x = self.copy(x)
        x.node.contiguous = True
        leaf = Node(shape, x.dtype, "leaf", alias_of=x.node, origin=self.origin)
        leaf.stores += [s.seen_as(shape) for s in x.node.stores]
        x.node.aliases.append(leaf)
        return whole(leaf)

    def reshape(self, x: Ref, shape: Shape) -> Ref:
        return x if x.shape == shape else self.move(x, Reshape(x.shape, shape), shape)

    def permute(self, x: Ref, axes: Shape) -> Ref:
        return x if axes == tuple(range(len(axes))) else self.move(x, Permute(axes), tuple(x.shape[a] for a in axes))

    def broadcast(self, x: Ref, shape: Shape) -> Ref:
        return x if x.shape == shape else self.move(x, Broadcast(x.shape, shape), shape)

    def copy(self, x: Ref) -> Ref:
        """The same elements in memory of their own."""
        node = Node(x.shape, x.dtype, "map", (x,), (), lambda context, value: value, origin=self.origin)
        self.items.append(node)
        return whole(node)

    def copied(self, x: Ref) -> Ref:
        """A copy, made once for all who need it in memory; of a shape it was given last, a view of a copy in C order, and of axes
        permuted last, a view of the copy that is needed anyway."""
        if x.node.free and x.node.args and x.moves:
            moved = Ref(self.copied(whole(x.node)).node, x.moves, x.shape)
            if strided(moved, strides_of(moved.node.shape)) is None:
                return self.copied(moved)
            moved.node.contiguous |= moved.reshapes
            return moved
        last = x.moves[-1] if x.moves else None
        if isinstance(last, Reshape):
            base = self.copied(Ref(x.node, x.moves[:-1], last.old))
            if not base.moves:
                base.node.contiguous = True
                return base.moved(last, x.shape)
        if isinstance(last, Permute):
            before = Ref(x.node, x.moves[:-1], last.source(x.shape))
            if strided(before, strides_in(x.node)) is None:
                return self.copied(before).moved(last, x.shape)
        key = (x.node, x.moves)
        if key not in self.framed:
            self.framed[key] = self.copy(x)
        return self.framed[key]

    def viewable(self, x: Ref) -> Ref:
        """The same elements as a plain view of something in memory."""
        if x.node.free or (strided(x, strides_in(x.node)) is None and not self.ordered(x)):
            return self.copied(x)
        if x.reshapes and not x.node.stores:
            if x.node.frame is not None:
                return self.copy(x)
            self.settle(x.node)
        return x

    def ordered(self, x: Ref) -> bool:
        """Let an array that is joined from parts lie as this view of it has its axes, if that makes it a plain one."""
        node, first = x.node, x.moves[0] if x.moves else None
        if not isinstance(first, Permute) or not node.joined or node.order or node.contiguous or node.stores:
            return False
        if first.axes[-1] != len(node.shape) - 1:
            return False  # the parts would be written in single elements
        node.order = first.axes
        if strided(x, strides_in(node)) is None:
            node.order = ()
        return bool(node.order)

    def settle(self, node: Node) -> None:
        """From now on a node lies in C order, or, joined from parts, in the one it has."""
        node.contiguous = not (node.joined and node.order)

    def in_order(self, x: Ref) -> bool:
        """Whether a view is contiguous, once its node is."""
        view = strided(x, strides_in(x.node))
        plain = x.node.frame is None and view is not None and all(
            n == 1 or s == t for n, s, t in zip(x.shape, view[1], strides_of(x.shape)))
        if plain and not x.node.stores:
            self.settle(x.node)
        return plain

    # ------------------------------------------------------------------------------------ lines
    def line(self, line: Line, handler: Handler) -> None:
        """Build what a line computes."""
        self.origin = Origin(line.prim.name, line.source)
        made = handler(self, line, *map(self.ref, line.args), **line.params)
        self.values.update(zip(line.targets, made if isinstance(made, tuple) else (made,)))


def identity(x: Ref) -> Any:
    """What makes two views the same."""
    node = x.node
    return (node if node.number is None else (repr(node.number), node.dtype), x.moves, x.shape)


def meaning(run: Callable[..., Any]) -> Any:
    """What makes two formulas the same: their code, and the values it was written with."""
    code = getattr(run, "__code__", run)
    cells = tuple(c.cell_contents for c in getattr(run, "__closure__", None) or ())
    found = (code, tuple(map(repr, cells)), repr(getattr(run, "__defaults__", None)))
    return found if all(isinstance(c, int | float | str | np.dtype) for c in cells) else run


def counting(a: np.ndarray[Any, Any]) -> Callable[[Context], Scalar] | None:
    """How to compute whole numbers that count along one axis."""
    if a.dtype.kind not in "iu" or not a.size:
        return None
    varying = [i for i in range(a.ndim) if a.shape[i] > 1 and (np.take(a, 0, i) != np.take(a, 1, i)).any()]
    if len(varying) != 1:
        return None
    axis = varying[0]
    row = np.moveaxis(a, axis, -1).reshape(-1, a.shape[axis])[0]
    start, step = int(row[0]), int(row[1]) - int(row[0])
    expected = (start + step * np.arange(a.shape[axis])).reshape([-1 if i == axis else 1 for i in range(a.ndim)])
    if (a != expected).any():
        return None
    return lambda context: context.writer.position(context.place[axis].scaled(step).shifted(start)).cast(a.dtype)


def triangle(a: np.ndarray[Any, Any]) -> Callable[[Context], Scalar] | None:
    """How to compute a table of booleans that is true up to a diagonal, or beyond it."""
    if a.dtype != np.bool_ or a.ndim != 2 or not a.size:
        return None
    k = int(a[0].sum()) - 1
    if (a == np.tri(*a.shape, k, dtype=np.bool_)).all():
        return lambda context: context.writer.position(context.place[1].plus(context.place[0].scaled(-1))) <= k
    k = a.shape[1] - int(a[0].sum()) - 1
    if (a == ~np.tri(*a.shape, k, dtype=np.bool_)).all():
        return lambda context: context.writer.position(context.place[1].plus(context.place[0].scaled(-1))) > k
    return None

