"""A wire carries one number: it was given, it is a constant, or a gate made it from the numbers on other wires."""
from __future__ import annotations

from collections.abc import Container, Iterable
from heapq import heappop, heappush
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.primitive import Primitive
from chainrule.core.type import Array
from chainrule.ops.arithmetic import add, divide, multiply, negative, subtract
from chainrule.ops.power import pow

Number = Any
"""A wire, or a plain number: one without a name, which is written inside formulas."""


class Wire:
    """One number; `prim` is the gate that made it, None for what was given, and `serial` the place of that gate among all.

    `home` is the value of the record that it is an element of, or on the way to. NumPy computes with arrays of wires: their
    operators are gates, drawn by `pen`.
    """

    __slots__ = ("args", "constant", "home", "name", "params", "pen", "prim", "serial", "value")

    def __init__(self, pen: Any, value: float, prim: Primitive | None = None, args: tuple[Number, ...] = (),
                 params: dict[str, Any] | None = None, *, serial: int = -1, home: Any = None, name: str | None = None,
                 constant: bool = False) -> None:
        self.pen, self.value, self.prim, self.args, self.params = pen, value, prim, args, params or {}
        self.serial, self.home, self.name, self.constant = serial, home, name, constant

    def slopes(self) -> list[float]:
        """The local derivative of the gate in each of its arguments."""
        assert self.prim is not None
        return slopes_of(self.prim, self.value, list(map(number, self.args)), self.params)

    def conjugate(self) -> Wire: return self
    def __add__(self, other: Array) -> Any: return self.pen.element(add, self, other)
    def __radd__(self, other: Array) -> Any: return self.pen.element(add, other, self)
    def __sub__(self, other: Array) -> Any: return self.pen.element(subtract, self, other)
    def __rsub__(self, other: Array) -> Any: return self.pen.element(subtract, other, self)
    def __mul__(self, other: Array) -> Any: return self.pen.element(multiply, self, other)
    def __rmul__(self, other: Array) -> Any: return self.pen.element(multiply, other, self)
    def __truediv__(self, other: Array) -> Any: return self.pen.element(divide, self, other)
    def __rtruediv__(self, other: Array) -> Any: return self.pen.element(divide, other, self)
    def __pow__(self, other: Array) -> Any: return self.pen.element(pow, self, other)
    def __neg__(self) -> Any: return self.pen.element(negative, self)

    def __bool__(self) -> bool:
        raise TypeError("a wire is neither true nor false: which way a computation goes must not depend on it")


class Gathered:
    """Numbers side by side. Adding joins them, so that whatever sums up elements of an array tells which ones it would sum up."""

    __slots__ = ("numbers",)

    def __init__(self, *numbers: Number) -> None:
        self.numbers = numbers

    def __add__(self, other: Any) -> Gathered:
        return Gathered(*self.numbers, *other.numbers) if isinstance(other, Gathered) else self  # a frame of zeros takes no part

    __radd__ = __add__


def number(a: Number) -> Any:
    """What a wire carries; of a plain number, itself."""
    return a.value if isinstance(a, Wire) else a


def flows(a: Number) -> bool:
    """Whether a gradient flows to it."""
    return isinstance(a, Wire) and not a.constant


def is_plain(a: Number, value: float) -> bool:
    """Whether it is this number, and none that has a name."""
    return not isinstance(a, Wire) and a is not None and bool(a == value)


def array_of(elements: Iterable[Any], shape: tuple[int, ...]) -> Any:
    """An array of objects, in the order of `ravel`."""
    array = np.empty(shape, object)
    for index, element in zip(np.ndindex(shape), elements):
        array[index] = element
    return array


def slopes_of(prim: Primitive, y: float, values: list[Any], params: dict[str, Any]) -> list[float]:
    """The local derivatives of an operation on single numbers, by its own rules; 0 where nothing flows."""
    assert prim.slopes is not None
    y, values = np.float64(y), [v if v is None else np.float64(v) for v in values]  # 1 / 0 is infinite, and no error
    with under(NUMPY), np.errstate(all="ignore"):
        return [0.0 if s is None else float(s(y, *values, **params)) if callable(s) else float(s) for s in prim.slopes]


def derivatives(root: Number, inputs: Container[Wire]) -> dict[Wire, float]:
    """The derivative of a number in the wires it was made from, back to the inputs: the sweep once more, number by number."""
    found = {root: 1.0} if isinstance(root, Wire) else {}
    waiting = [(-wire.serial, wire) for wire in found if wire not in inputs]
    while waiting:
        _, wire = heappop(waiting)
        for a, slope in zip(wire.args, wire.slopes()):
            if flows(a):
                if a not in found and a.prim is not None and a not in inputs:
                    heappush(waiting, (-a.serial, a))
                found[a] = found.get(a, 0.0) + (found[wire] * slope if found[wire] and slope else 0.0)  # 0 wins over infinity
    return found
