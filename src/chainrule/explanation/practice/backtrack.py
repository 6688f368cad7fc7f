"""A backtrack is the part of a sweep between one gradient and the nearest known ones, to be run again with changes."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.interpreter import NUMPY, Interpreter, under
from chainrule.core.primitive import Primitive
from chainrule.core.type import Array, Shape

from ..record.record import Record
from ..record.values import plain, shape_of

PRODUCTS = ("matmul", "chain_matmul")


class Flow(NamedTuple):
    """One edge of the sweep: from a result back to the argument at a position."""

    result: Any
    position: int

    @property
    def argument(self) -> Any:
        return self.result.sources[self.position]

    @property
    def operation(self) -> str:
        return str(self.result.prim.name)

    @property
    def slope(self) -> Any:
        """The local derivative of an elementwise operation, as its declaration has it; None for all others."""
        slopes = self.result.prim.slopes
        return slopes[self.position] if slopes and self.position < len(slopes) else None

    @property
    def others(self) -> list[Any]:
        """The values of the other arguments."""
        return [v for k, v in enumerate(self.result.values) if k != self.position]

    def rule(self, g: Array, y: Array = None, values: Sequence[Array] | None = None) -> Array:
        """What the rule makes of the gradient arriving; with another result or other arguments, if given."""
        rule = next(r for n, r in enumerate(self.result.prim.backward) if n == self.position)
        return rule(g, self.result.value if y is None else y, *(self.result.values if values is None else values),
                    **self.result.params)

    @property
    def is_plain(self) -> bool:
        """Whether all that meets here are single arrays."""
        return not any(isinstance(v, tuple) for v in (self.result.value, *self.result.values))


class Exchanged(Interpreter):
    """Apply a matrix product as `product` says, and all others as ever."""

    __slots__ = ("product",)
    name = "exchanged"

    def __init__(self, product: Callable[[Array, Array], Array]) -> None:
        super().__init__(NUMPY)
        self.product = product

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        return self.product(*args) if prim.name in PRODUCTS else self.parent.apply(prim, args, params)


class Backtrack:
    """The flows into the gradient of `target` from the `known` gradients, or from the loss."""

    def __init__(self, record: Record, target: Any, known: Mapping[Any, Array]) -> None:
        self.record, self.target = record, target
        self.known = {record.loss: np.ones(record.loss.shape, record.loss.dtype), **known}
        self.known.pop(target, None)

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """In the order of the sweep."""
        reached, found = {self.target}, []
        for x in self.record.order:
            if x.prim is None or x is self.target or x not in self.record.swept:
                continue
            into = [Flow(x, i) for i, (a, rule) in enumerate(zip(x.sources, x.prim.backward))
                    if a is not None and a in reached and rule is not None]
            found += into[::-1]
            if into and x not in self.known:
                reached.add(x)
        return tuple(found[::-1])

    @cached_property
    def arriving(self) -> dict[Any, Array]:
        """The gradients of all values on the way, without changes."""
        return self.run({})

    @property
    def gradient(self) -> Array:
        return plain(self.arriving[self.target], self.target) if self.target in self.arriving else None

    @property
    def largest_term(self) -> float:
        """About the size of the largest product that is added up in the gradient."""
        last = [(flow, g) for flow, g in self.upstream() if flow.argument is self.target]
        sizes = [largest(g) * max(1.0, *(largest(v) for v in flow.result.values if v is not None)) for flow, g in last]
        return max(sizes, default=0.0)

    def run(self, changed: Mapping[Flow, Array | None]) -> dict[Any, Array]:
        """The sweep, with the contributions of some flows replaced; None: nothing flows there."""
        gradients = dict(self.known)
        with under(NUMPY), np.errstate(all="ignore"):
            for flow in self.flows:
                if flow.result in gradients:
                    d = changed[flow] if flow in changed else flow.rule(self.at(flow.result, gradients))
                    if d is not None:
                        a = flow.argument
                        gradients[a] = gradients[a] + d if a in gradients else d
        return gradients

    def at(self, x: Any, gradients: Mapping[Any, Array]) -> Array:
        return plain(gradients[x], x)

    def upstream(self) -> Iterator[tuple[Flow, Array]]:
        """Each flow between single arrays, with what arrives at its result."""
        for flow in self.flows:
            if flow.is_plain and flow.result in self.arriving:
                yield flow, self.at(flow.result, self.arriving)

    def merges(self) -> list[list[Flow]]:
        """The flows that meet, for each value with several."""
        into: dict[Any, list[Flow]] = {}
        for flow in self.flows:
            into.setdefault(flow.argument, []).append(flow)
        return [flows for flows in into.values() if len(flows) > 1]


def largest(x: Array) -> float:
    """The size of the largest finite element."""
    array = np.asarray(x, np.float64)
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def shape_behind(flow: Flow) -> Shape:
    """The shape of the argument of a flow."""
    return shape_of(flow.argument.value)
