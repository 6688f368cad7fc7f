"""A staged number stands for a Python number: arithmetic with other Python numbers keeps it one, so that it takes the dtype
of the arrays it meets."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.core.primitive import Primitive
from chainrule.core.stage import Symbol
from chainrule.core.type import Array, Type, typeof
from chainrule.ops.arithmetic import add, divide, floor_divide, multiply, negative, remainder, subtract
from chainrule.ops.power import pow


class Number(Symbol):
    """A Python number that is not known yet."""

    __slots__ = ()

    def __neg__(self) -> Array:
        return still_weak(negative(self))


def still_weak(out: Array) -> Array:
    """The result as a staged number, where it is staged at all."""
    if type(out) is Symbol:
        out.__class__ = Number
        out._type = Type((), out.dtype, weak=True)
    return out


def operator(prim: Primitive, *, swapped: bool) -> Callable[[Number, Any], Array]:
    """Python's operator for an operation: weak where both sides are Python numbers."""
    def of(self: Number, other: Any) -> Array:
        out = prim(other, self) if swapped else prim(self, other)
        return still_weak(out) if typeof(other).weak else out
    return of


for name, prim in {"add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide, "mod": remainder,
                   "pow": pow}.items():
    setattr(Number, f"__{name}__", operator(prim, swapped=False))
    setattr(Number, f"__r{name}__", operator(prim, swapped=True))
