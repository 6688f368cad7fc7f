"""Reverse mode: compute and remember how; then visit what was remembered, newest first, and hand gradients back.

The whole idea is `Reverse.sweep`: at each value, the gradient that arrived goes through one rule per argument; where a value
was used several times, the contributions add. A value is always made after the values it is made of, so creation order is a
topological order, and its reverse is the order of the sweep.
"""
from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from contextvars import ContextVar
from itertools import count
from operator import attrgetter
from typing import Any

import numpy as np

from . import interpreter
from .interpreter import NUMPY, Box, Interpreter, concrete, escaped, under
from .primitive import Each, Primitive
from .type import Array, Shape, Type, typeof

serials = count()
optimistic: ContextVar[bool] = ContextVar("optimistic", default=False)
"""While set, products with a local derivative skip the search for 0 x inf; see `Reverse.gradients`."""


class Recorded(Box):
    """A value, and how it was made: `prim` applied to `args` (None for an input)."""

    __slots__ = ("__weakref__", "args", "hooks", "params", "prim", "serial", "sources", "value", "values")

    def __init__(self, owner: Interpreter, value: Array, prim: Primitive | None = None, args: tuple[Array, ...] = (),
                 sources: Sequence[Recorded | None] = (), values: Sequence[Array] = (),
                 params: dict[str, Any] | None = None) -> None:
        self.owner = owner
        self.value = value
        self.prim = prim
        self.args = args
        self.sources = sources  # the arguments that gradients flow to, None in place of the others
        self.values = values  # the arguments as this interpreter's parent sees them
        self.params = params or {}
        self.serial = next(serials)
        self.hooks: list[Callable[[Array], Array | None]] | None = None

    @property
    def type(self) -> Type:
        return typeof(self.value)

    @property
    def shape(self) -> Shape:
        return self.value.shape  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        return self.value.size  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype  # type: ignore[no-any-return]

    def concrete(self, use: str) -> np.ndarray[Any, Any]:
        return concrete(self.value, use)

    def __repr__(self) -> str:
        return f"<{self.value} being differentiated>"


class Partial:
    """A gradient that is still being put together: `filled(value)` makes it whole."""

    def filled(self, value: Array) -> Array:
        raise NotImplementedError


def nothing(t: Type) -> Array:
    """Zeros that take no memory, however many."""
    return np.broadcast_to(np.zeros((), t.dtype), t.shape)


class Parts(Partial):
    """The gradient of an operation with several outputs: one entry for each output that received any."""

    def __init__(self, entries: dict[int, Array]) -> None:
        self.entries = entries

    def __add__(self, other: Parts) -> Parts:
        merged = dict(self.entries)
        for i, g in other.entries.items():
            merged[i] = merged[i] + g if i in merged else g
        return Parts(merged)

    def filled(self, outputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """One gradient per output, zero where none arrived."""
        return tuple(self.entries[i] if i in self.entries else nothing(typeof(o)) for i, o in enumerate(outputs))


class Pieces(Partial):
    """The gradient of an array in pieces, each with the key of its place: put together once, when all have arrived.

    A loop over the rows of an array would else add as many whole arrays, all zeros but for one row.
    """

    __array_ufunc__ = None  # `array + pieces` asks the pieces

    def __init__(self, key: Any, piece: Array) -> None:
        self.waiting = [(key, piece)]

    def __add__(self, other: Array) -> Pieces:
        self.waiting += other.waiting if type(other) is Pieces else [(Ellipsis, other)]
        return self

    __radd__ = __add__

    def filled(self, value: Array) -> Array:
        """One array of the shape and dtype of `value`, zero where nothing arrived."""
        whole: Array = np.zeros(*typeof(value)[:2])
        for key, piece in self.waiting:
            if not isinstance(piece, Box):
                whole[key] += piece
        for _, piece in self.waiting:
            if isinstance(piece, Box):
                whole = whole + piece
        return whole


pick = Primitive(
    "pick", forward=lambda whole, index: whole[index], result=lambda whole, index: whole[index],
    backward=(lambda g, y, whole, index: Parts({index: g}),), tangent=lambda t, y, whole, index: t[0][index],
    batch=lambda flags, whole, index: whole[index], samples=lambda rng: [], tex="{0}_{{{index}}}",
    doc="One of several outputs of an operation.")


joint = Primitive(
    "joint", forward=lambda *parts: parts, result=lambda *types: list(types),
    backward=Each(lambda i, g, y, *parts: g[i]), tangent=lambda t, y, *parts: t,
    batch=lambda flags, *parts: parts, samples=lambda rng: [], tex="({0}, ...)",
    doc="Several values as one root, so that one sweep serves them all.")


class Reverse(Interpreter):
    """Compute, and remember how."""

    __slots__ = ()
    name = "grad"

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        values = tuple(self.lower(a, prim.name) for a in args)
        sources = tuple(a if self.owns(a) and rule else None for a, rule in zip(args, prim.backward))
        if all(a is None for a in sources):
            return self.parent.apply(prim, values, params)
        params = prim.keeping(params) if prim.keeping else params
        out = self.parent.apply(prim, values, params)
        return self.outputs(self.box(out, prim, args, sources, values, params))

    def box(self, out: Array, prim: Primitive, args: tuple[Array, ...], sources: Sequence[Recorded | None],
            values: Sequence[Array], params: dict[str, Any]) -> Recorded:
        return Recorded(self, out, prim, args, sources, values, params)

    def outputs(self, box: Recorded) -> Array:
        """The value as rules see it: a tuple of picks where the operation has several outputs."""
        if type(box.value) is not tuple:
            return box
        return tuple(self.box(o, pick, (box,), (box,), (box.value,), {"index": i}) for i, o in enumerate(box.value))

    def join(self, outputs: tuple[Array, ...]) -> Recorded:
        """One root for several results, to be swept with a tuple of seeds."""
        values = tuple(o.value if self.owns(o) else o for o in outputs)
        return Recorded(self, values, joint, outputs, tuple(o if self.owns(o) else None for o in outputs), values)

    def lower(self, a: Array, where: str = "this operation") -> Array:
        """`a` as the parent sees it."""
        if isinstance(a, Box) and a.owner is self:
            if self.closed:
                raise escaped(a, where)
            return a.value  # type: ignore[attr-defined]
        return a

    def history(self, root: Recorded) -> list[Recorded]:
        """Every value behind `root` that can have a gradient, newest first."""
        seen, stack = {root}, [root]
        while stack:
            for a in stack.pop().sources:
                if a is not None and a not in seen:
                    seen.add(a)
                    stack.append(a)
        return sorted(seen, key=attrgetter("serial"), reverse=True)

    def sweep(self, root: Recorded, seed: Array, *, wanted: Container[Recorded] | None = None, create_graph: bool = False,
              rules_under: Interpreter | None = None, order: list[Recorded] | None = None) -> dict[Recorded, Array]:
        """The gradient of `seed . root` in the inputs behind `root` and in the `wanted` values (None: in all).

        With `create_graph` the sweep itself is recorded, and can be differentiated. The rules run under the parent, or under
        `rules_under`; `order` is the history of the root, where it is known already. A rule may return None: nothing flows.
        """
        gradients = {root: seed}
        hurry = optimistic.get() and not create_graph
        with under(rules_under or (self if create_graph else self.parent)), np.errstate(all="ignore"):
            for x in order or self.history(root):
                g = gradients.get(x)
                if g is None:
                    continue
                if isinstance(g, Partial):
                    g = gradients[x] = g.filled(x.value)
                if x.hooks:
                    g = gradients[x] = hooked(x, g)
                prim = x.prim
                if prim is None:
                    continue
                if wanted is not None and x not in wanted:
                    del gradients[x]
                y, values = x.value, x.values
                if create_graph:
                    y, values = self.outputs(x), x.args
                short = prim.hurried if hurry else None
                rules: Iterable[Any] = short or prim.backward
                for a, rule in zip(x.sources, rules):
                    if a is not None:  # the gradient arriving, times the local derivative:
                        d = rule(g, y, values) if short else rule(g, y, *values, **x.params)
                        if d is not None:
                            gradients[a] = gradients[a] + d if a in gradients else d
        return gradients

    def gradients(self, root: Recorded, seed: Array, wanted: Container[Recorded] = (), *, create_graph: bool = False,
                  rules_under: Interpreter | None = None) -> dict[Recorded, Array]:
        """Like `sweep`, and fast where it can be.

        Zero times infinity is zero in a sweep: a value that does not matter stays without influence behind an infinite slope.
        Looking for such products at every step would cost as much as the step. So the sweep first runs without looking;
        only if a NaN comes out does it run again, looking. (Where hooks might be called twice, it looks at once.)
        """
        order = self.history(root)
        hurry = (rules_under or self.parent) in (NUMPY, interpreter.ground) and not create_graph
        if hurry and not any(map(attrgetter("hooks"), order)):
            token = optimistic.set(True)
            try:
                found = self.sweep(root, seed, wanted=wanted, rules_under=rules_under, order=order)
            finally:
                optimistic.reset(token)
            if not any(map(has_nan, found.values())):
                return found
        return self.sweep(root, seed, wanted=wanted, create_graph=create_graph, rules_under=rules_under, order=order)


def hooked(x: Recorded, g: Array) -> Array:
    """The gradient after the hooks of `x` have seen it, and perhaps replaced it."""
    for hook in x.hooks or ():
        replaced = hook(g)
        g = g if replaced is None else replaced
    return g


def has_nan(g: Array) -> bool:
    """Whether any element is NaN: a sum of squares is NaN exactly then."""
    while isinstance(g, Box):
        g = getattr(g, "value", 0.0)
    if isinstance(g, tuple):
        return any(map(has_nan, g))
    flat = np.asarray(g)
    norm = np.vdot(flat, flat)
    return bool(norm != norm)
