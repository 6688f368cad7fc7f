"""Arithmetic: each scalar operation of kernels as instructions, by the kind of its arguments; the curves are in `mathematics`."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.ir as ir
import numpy as np

from ..loops.operations import CURVES
from . import mathematics, whole
from .number import Number, truth
from .representation import Written, element

Emit = Callable[..., Number]


def apply(builder: ir.IRBuilder, operation: str, args: Sequence[Any], dtype: np.dtype[Any]) -> ir.Value:
    """The value of an operation of operands (value, dtype); it has as many lanes as the widest argument."""
    numbers = [Number(builder, value, unsigned=kind.kind == "u") for value, kind in args]
    if operation == "cast":
        return cast(numbers[0], dtype).value
    if operation == "select":
        return numbers[0].where(numbers[1], numbers[2]).value
    if args[0][1] == np.float16:  # halves are computed in float32, and rounded
        wide = [Number(builder, n.to(ir.FloatType()).value) for n in numbers]
        result = emit(operation, wide, "f")
        return (result if dtype.kind == "b" else result.to(element(dtype))).value
    lanes = max(n.lanes for n in numbers)
    first = next(n for n in numbers if n.lanes == lanes)
    return emit(operation, [n.new(first.like(n)) for n in numbers], args[0][1].kind).value


def emit(operation: str, numbers: list[Number], kind: str) -> Number:
    if operation in CURVES or (operation == "pow" and kind == "f"):
        return mathematics.curve(operation, numbers)
    return TABLES[kind][operation](*numbers)


def cast(x: Number, dtype: np.dtype[Any]) -> Number:
    """NumPy's conversion: floats to whole numbers towards zero, anything but 0 to true."""
    if dtype.kind == "b":
        return truth(x)
    if dtype.kind == "u" and x.floating:  # as int64 first, so that -1 wraps around
        return Number(x.builder, x.to(ir.IntType(64)).value).to(element(dtype))
    return x.to(element(dtype))


# ------------------------------------------------------------------------------------ floats
def maximum(a: Number, b: Number) -> Number:
    """The larger; NaN if one is NaN."""
    if known(b):
        a, b = b, a
    larger = (a > b).where(a, b)  # b where b is NaN
    return larger if known(a) else a.isnan().where(a, larger)


def minimum(a: Number, b: Number) -> Number:
    """The smaller; NaN if one is NaN."""
    if known(b):
        a, b = b, a
    smaller = (a < b).where(a, b)
    return smaller if known(a) else a.isnan().where(a, smaller)


def known(x: Number) -> bool:
    """Whether this is a constant that is not NaN."""
    return isinstance(x.value, Written) and not x.value.nan


def sign(x: Number) -> Number:
    return (x > 0).where(1, (x < 0).where(-1, x.equals(0).where(0, x)))


def float_remainder(a: Number, b: Number) -> Number:
    """What is left over, with the sign of the divisor (Python's, as NumPy has it)."""
    rest = a % b
    shifted = ((b < 0) ^ (rest < 0)).where(rest + b, rest)
    return rest.equals(0).where(rest.constant(0).call("copysign", b), shifted)


def float_floor_divide(a: Number, b: Number) -> Number:
    rest = a % b
    quotient = (a - rest) / b
    quotient = (rest.differs(0) & ((b < 0) ^ (rest < 0))).where(quotient - 1, quotient)
    below = quotient.call("floor")
    below = (quotient - below > 0.5).where(below + 1, below)
    below = quotient.equals(0).where(quotient.constant(0).call("copysign", a / b), below)
    return b.equals(0).where(a / b, below)


def infinite(x: Number) -> Number:
    return x.call("fabs").equals(float("inf"))


FLOATS: dict[str, Emit] = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b, "divide": lambda a, b: a / b,
    "floor_divide": float_floor_divide, "remainder": float_remainder, "negative": lambda x: -x, "abs": lambda x: x.call("fabs"),
    "sign": sign, "copysign": lambda a, b: a.call("copysign", b), "minimum": minimum, "maximum": maximum,
    "fmin": lambda a, b: a.call("minnum", b), "fmax": lambda a, b: a.call("maxnum", b), "square": lambda x: x * x,
    "sqrt": lambda x: x.call("sqrt"), "reciprocal": lambda x: 1 / x, "floor": lambda x: x.call("floor"),
    "ceil": lambda x: x.call("ceil"), "round": lambda x: x.call("rint"), "trunc": lambda x: x.call("trunc"),
    "fma": lambda a, b, c: a.fma(b, c), "isnan": lambda x: x.isnan(), "isinf": infinite,
    "isfinite": lambda x: x.call("fabs") < float("inf"), "signbit": lambda x: x.bits() < 0,
}
COMPARED: dict[str, Emit] = {
    "equal": lambda a, b: a.equals(b), "not_equal": lambda a, b: a.differs(b), "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b, "greater": lambda a, b: a > b, "greater_equal": lambda a, b: a >= b,
    "logical_and": lambda a, b: truth(a) & truth(b), "logical_or": lambda a, b: truth(a) | truth(b),
    "logical_xor": lambda a, b: truth(a) ^ truth(b), "logical_not": lambda x: truth(x) ^ 1,
}
BOOLEANS: dict[str, Emit] = {
    **dict.fromkeys(("add", "maximum", "fmax", "bitwise_or"), lambda a, b: a | b),
    **dict.fromkeys(("multiply", "minimum", "fmin", "bitwise_and"), lambda a, b: a & b),
    **dict.fromkeys(("subtract", "bitwise_xor", "not_equal"), lambda a, b: a ^ b),
    **dict.fromkeys(("negative", "bitwise_invert"), lambda x: x ^ 1),
    **dict.fromkeys(("square", "abs", "sign"), lambda x: x),
    **dict.fromkeys(("isnan", "isinf", "signbit"), lambda x: x ^ x),
    "isfinite": lambda x: (x ^ x) ^ 1, "less": lambda a, b: (a ^ 1) & b, "less_equal": lambda a, b: (a ^ 1) | b,
    "greater": lambda a, b: a & (b ^ 1), "greater_equal": lambda a, b: a | (b ^ 1), "equal": lambda a, b: (a ^ b) ^ 1,
}
TABLES: dict[str, dict[str, Emit]] = {
    "f": COMPARED | FLOATS, "i": COMPARED | whole.OPERATIONS, "u": COMPARED | whole.OPERATIONS, "b": COMPARED | BOOLEANS,
}
