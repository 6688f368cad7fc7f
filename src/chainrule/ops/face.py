"""The face of a value: the operators and methods that every box has, whichever interpreter made it."""
from __future__ import annotations

from typing import Any

from chainrule.core.interpreter import Box
from chainrule.core.type import Array

from . import arithmetic, broadcasting, contraction, movement


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
    def __neg__(self) -> Array: return arithmetic.negative(self)

    @property
    def mT(self) -> Array: return movement.matrix_transpose(self)

    __array_ufunc__: Any = None

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
        return broadcasting.sum(self, axis, dtype, keepdims)


for name, member in vars(Face).items():
    if callable(member) or isinstance(member, property):
        setattr(Box, name, member)
