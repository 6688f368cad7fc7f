"""The face of a value: the operators and methods that every box has, whichever interpreter made it."""
from __future__ import annotations

from typing import Any

from chainrule.core.interpreter import Box
from chainrule.core.type import Array

from . import arithmetic, broadcasting, comparison, contraction, indexing, movement, power, updates


def countable(other: Any) -> bool:
    """Whether == with it compares elements; a value equals no name and no None."""
    return other is not None and not isinstance(other, str)


class Face:
    """Operators and methods, put on `Box` below: the machine defines boxes but knows no operation."""

    def __add__(self, other: Array) -> Array: return arithmetic.add(self, other)
    def __radd__(self, other: Array) -> Array: return arithmetic.add(other, self)
    def __sub__(self, other: Array) -> Array: return arithmetic.subtract(self, other)
    def __rsub__(self, other: Array) -> Array: return arithmetic.subtract(other, self)
    def __mul__(self, other: Array) -> Array: return arithmetic.multiply(self, other)
    def __rmul__(self, other: Array) -> Array: return arithmetic.multiply(other, self)
    def __truediv__(self, other: Array) -> Array: return arithmetic.divide(self, other)
    def __rtruediv__(self, other: Array) -> Array: return arithmetic.divide(other, self)
    def __matmul__(self, other: Array) -> Array: return contraction.matmul(self, other)
    def __rmatmul__(self, other: Array) -> Array: return contraction.matmul(other, self)
    def __floordiv__(self, other: Array) -> Array: return arithmetic.floor_divide(self, other)
    def __rfloordiv__(self, other: Array) -> Array: return arithmetic.floor_divide(other, self)
    def __mod__(self, other: Array) -> Array: return arithmetic.remainder(self, other)
    def __rmod__(self, other: Array) -> Array: return arithmetic.remainder(other, self)
    def __pow__(self, other: Array) -> Array: return power.pow(self, other)
    def __rpow__(self, other: Array) -> Array: return power.pow(other, self)
    def __neg__(self) -> Array: return arithmetic.negative(self)
    def __pos__(self) -> Array: return arithmetic.positive(self)
    def __abs__(self) -> Array: return arithmetic.abs(self)

    @property
    def mT(self) -> Array: return movement.matrix_transpose(self)

    def __lt__(self, other: Array) -> Array: return comparison.less(self, other)
    def __le__(self, other: Array) -> Array: return comparison.less_equal(self, other)
    def __gt__(self, other: Array) -> Array: return comparison.greater(self, other)
    def __ge__(self, other: Array) -> Array: return comparison.greater_equal(self, other)
    def __eq__(self, other: Any) -> Any: return comparison.equal(self, other) if countable(other) else NotImplemented
    def __ne__(self, other: Any) -> Any: return comparison.not_equal(self, other) if countable(other) else NotImplemented
    __hash__ = object.__hash__  # boxes are keys of sets and dicts by identity; == compares elements

    def __and__(self, other: Array) -> Array: return comparison.bitwise_and(self, other)
    def __rand__(self, other: Array) -> Array: return comparison.bitwise_and(other, self)
    def __or__(self, other: Array) -> Array: return comparison.bitwise_or(self, other)
    def __ror__(self, other: Array) -> Array: return comparison.bitwise_or(other, self)
    def __xor__(self, other: Array) -> Array: return comparison.bitwise_xor(self, other)
    def __rxor__(self, other: Array) -> Array: return comparison.bitwise_xor(other, self)
    def __invert__(self) -> Array: return comparison.bitwise_invert(self)
    def __lshift__(self, other: Array) -> Array: return comparison.bitwise_left_shift(self, other)
    def __rlshift__(self, other: Array) -> Array: return comparison.bitwise_left_shift(other, self)
    def __rshift__(self, other: Array) -> Array: return comparison.bitwise_right_shift(self, other)
    def __rrshift__(self, other: Array) -> Array: return comparison.bitwise_right_shift(other, self)
    def __getitem__(self, index: Any) -> Array: return indexing.getitem(self, index)
    def __setitem__(self, index: Any, value: Any) -> None: raise indexing.assignment(self, index, value)
    @property
    def at(self) -> updates.at: return updates.at(self)
    def __bool__(self) -> bool: return bool(self.concrete("`if`, `while`, `and`, `or` or bool()"))  # type: ignore[attr-defined]

    __array_ufunc__: Any = None

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
        return broadcasting.sum(self, axis, dtype, keepdims)


for name, member in vars(Face).items():
    if callable(member) or isinstance(member, property) or name == "__array_ufunc__":
        setattr(Box, name, member)
