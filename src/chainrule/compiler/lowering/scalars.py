"""A scalar is one element inside a kernel: a name with a dtype, which writes a statement for each operation applied to it."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..loops.operations import COMPARISONS, TESTS

BOOL = np.dtype(np.bool_)
LOGICAL_TWINS = {"add": "logical_or", "multiply": "logical_and", "maximum": "logical_or", "minimum": "logical_and",
                 "fmax": "logical_or", "fmin": "logical_and", "bitwise_and": "logical_and", "bitwise_or": "logical_or",
                 "bitwise_xor": "logical_xor", "bitwise_invert": "logical_not", "not_equal": "logical_xor", "square": "cast",
                 "abs": "cast"}
"""What an operation means on booleans."""

Emit = Callable[[str, tuple[str, ...], np.dtype[Any]], str]


class Scalar:
    """A named value of a kernel. Operators, and the functions below, write the statements that compute with it.

    A Python number beside a scalar takes its dtype.
    """

    __slots__ = ("constant", "dtype", "name", "writer")

    def __init__(self, writer: Any, name: str, dtype: np.dtype[Any]) -> None:
        self.writer, self.name, self.dtype = writer, name, dtype
        self.constant: Any = None

    def like(self, other: Any) -> Scalar:
        """Another value in this one's dtype."""
        return other.cast(self.dtype) if isinstance(other, Scalar) else self.writer.constant(other, self.dtype)

    def cast(self, dtype: np.dtype[Any]) -> Scalar:
        return self if dtype == self.dtype else self.writer.apply("cast", (self,), dtype)

    def apply(self, operation: str, *others: Any) -> Scalar:
        """An operation on this value and others in its dtype."""
        args = (self, *map(self.like, others))
        if operation in COMPARISONS or operation in TESTS:
            if self.dtype == BOOL and operation in COMPARISONS and operation != "not_equal":
                args = tuple(a.cast(np.dtype(np.int8)) for a in args)
            elif self.dtype == BOOL:
                operation = LOGICAL_TWINS.get(operation, operation)
            return self.writer.apply(operation, args, BOOL)
        if self.dtype == BOOL:
            operation = LOGICAL_TWINS.get(operation, operation)
            if operation == "cast":
                return self
        return self.writer.apply(operation, args, self.dtype)

    def __add__(self, other: Any) -> Scalar:
        return self.apply("add", other)

    def __radd__(self, other: Any) -> Scalar:
        return self.like(other) + self

    def __sub__(self, other: Any) -> Scalar:
        return self.apply("subtract", other)

    def __rsub__(self, other: Any) -> Scalar:
        return self.like(other) - self

    def __mul__(self, other: Any) -> Scalar:
        return self.apply("multiply", other)

    def __rmul__(self, other: Any) -> Scalar:
        return self.like(other) * self

    def __truediv__(self, other: Any) -> Scalar:
        return self.apply("divide", other)

    def __rtruediv__(self, other: Any) -> Scalar:
        return self.like(other) / self

    def __neg__(self) -> Scalar:
        return self.apply("negative")

    def __lt__(self, other: Any) -> Scalar:
        return self.apply("less", other)

    def __le__(self, other: Any) -> Scalar:
        return self.apply("less_equal", other)

    def __gt__(self, other: Any) -> Scalar:
        return self.apply("greater", other)

    def __ge__(self, other: Any) -> Scalar:
        return self.apply("greater_equal", other)

    def equals(self, other: Any) -> Scalar:
        return self.apply("equal", other)

    def differs(self, other: Any) -> Scalar:
        return self.apply("not_equal", other)

    def __and__(self, other: Scalar) -> Scalar:
        return self.truth().writer.apply("logical_and", (self.truth(), other.truth()), BOOL)

    def __or__(self, other: Scalar) -> Scalar:
        return self.truth().writer.apply("logical_or", (self.truth(), other.truth()), BOOL)

    def __invert__(self) -> Scalar:
        return self.writer.apply("logical_not", (self.truth(),), BOOL)

    def truth(self) -> Scalar:
        """Whether it is not 0."""
        return self if self.dtype == BOOL else self.differs(0)

    def chosen(self, a: Any, b: Any) -> Scalar:
        """`a` where this holds, else `b`; one of the two is a scalar, the other may be a Python number."""
        pattern = a if isinstance(a, Scalar) else b
        return self.writer.apply("select", (self.truth(), pattern.like(a), pattern.like(b)), pattern.dtype)


def function(operation: str) -> Callable[..., Scalar]:
    """A scalar operation as a function."""
    def run(x: Scalar, *others: Any) -> Scalar:
        return x.apply(operation, *others)
    return run


exp, expm1, log, log1p = map(function, ("exp", "expm1", "log", "log1p"))
sin, sqrt, square, tanh = map(function, ("sin", "sqrt", "square", "tanh"))
maximum, minimum, absolute, sign = map(function, ("maximum", "minimum", "abs", "sign"))
copysign, isnan, isinf, isfinite, signbit = map(function, ("copysign", "isnan", "isinf", "isfinite", "signbit"))
hypot, power, floor, nearest, erf, erfc = map(function, ("hypot", "pow", "floor", "round", "erf", "erfc"))


def sigmoid(x: Scalar) -> Scalar:
    """1 / (1 + e^-x), of e^-|x|, so that it keeps all digits, and shares its exponential and its division with that of -x."""
    e = exp(-absolute(x))
    share = 1 / (e + 1)
    return (x < 0).chosen(e * share, share)


def clipped(x: Scalar, low: float, high: float) -> Scalar:
    """The value kept between two numbers."""
    return minimum(maximum(x, low), high)


def polynomial(coefficients: tuple[float, ...], x: Scalar) -> Scalar:
    """Horner's scheme; the lowest power comes first."""
    total = x.like(coefficients[-1])
    for c in coefficients[-2::-1]:
        total = x.writer.apply("fma", (total, x, x.like(c)), x.dtype) if x.dtype.kind == "f" else total * x + c
    return total
