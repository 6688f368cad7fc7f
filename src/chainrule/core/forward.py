"""Forward mode: every value carries a tangent, the direction and speed in which it moves."""
from __future__ import annotations

from typing import Any

import numpy as np

from .interpreter import Box, Interpreter, concrete, escaped, under
from .primitive import Primitive
from .type import Array, Type, typeof


class Dual(Box):
    """A value and its tangent."""

    __slots__ = ("tangent", "value")

    def __init__(self, owner: Interpreter, value: Array, tangent: Array) -> None:
        self.owner, self.value, self.tangent = owner, value, tangent

    @property
    def type(self) -> Type:
        return typeof(self.value)

    def concrete(self, use: str) -> np.ndarray[Any, Any]:
        return concrete(self.value, use)


class Forward(Interpreter):
    """Compute values and tangents together."""

    __slots__ = ()
    name = "jvp"

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        flags = [self.owns(a) for a in args]
        if self.closed and any(flags):
            raise escaped(args[flags.index(True)], prim.name)
        values = tuple(a.value if own else a for a, own in zip(args, flags))
        tangents = [a.tangent if own and rule else None for a, own, rule in zip(args, flags, prim.backward)]
        y = self.parent.apply(prim, values, params)
        if all(t is None for t in tangents):
            return y
        with under(self.parent):
            dy = prim.tangent(tangents, y, *values, **params)
        if isinstance(y, tuple):
            return tuple(Dual(self, value, tangent) for value, tangent in zip(y, dy))
        return Dual(self, y, dy)
