"""An elementwise operation in the loop language: a row of the table says how its arguments meet and what becomes of them."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .scalars import (
    BOOL,
    Scalar,
    absolute,
    copysign,
    exp,
    function,
    hypot,
    isfinite,
    isinf,
    isnan,
    log,
    log1p,
    maximum,
    minimum,
    power,
    sigmoid,
    sign,
    sqrt,
    square,
)

Meet = Literal["result", "promoted", "apart"]
"""Arguments are cast to the result's dtype, to the dtype in which they meet, or left as they are."""
Formula = Callable[..., Scalar]


@dataclass(frozen=True)
class Row:
    """`formula(*args, **params)` on scalars; a missing argument is None. The value is cast to the result's dtype at the end."""

    formula: Formula
    meet: Meet = "result"
    costly: bool = False


def plain(*names: str, meet: Meet = "result", costly: bool = False) -> dict[str, Row]:
    """Operations that the loop language knows by the same name."""
    return {name: Row(function(name), meet, costly) for name in names}


# ---------------------------------------------------------------------------------------- arithmetic
def heaviside(x: Scalar, h: Scalar) -> Scalar:
    return x.equals(0).chosen(h, (x < 0).chosen(0, isnan(x).chosen(x, x.like(1))))


def chain(g: Scalar, slope: Scalar) -> Scalar:
    """A product where 0 wins; of an indicator, a choice."""
    for value, other in ((slope, g), (g, slope)):
        mask = value.writer.indicators.get(value.name)
        if mask is not None:
            return mask.chosen(other, 0)
    return (g.equals(0) | slope.equals(0)).chosen(0, g * slope)


def repeated(x: Scalar, n: int) -> Scalar:
    """`x` to a whole power from 1 up, by squaring."""
    if n == 1:
        return x
    half = repeated(x, n // 2)
    return half * half * x if n % 2 else half * half


def pow_values(a: Scalar, b: Scalar) -> Scalar:
    """Powers with a constant exponent in the steps that NumPy, too, takes; a small whole one by multiplications."""
    n = b.constant
    if n is None or a.dtype.kind != "f":
        return power(a, b)
    if n == 0.5:
        return sqrt(a)
    if n == 2:
        return square(a)
    if float(n).is_integer() and 1 <= abs(n) <= 8:
        whole = repeated(a, abs(int(n)))
        return whole if n > 0 else 1 / whole
    return a.like(1) if n == 0 else power(a, b)


def base_slope(a: Scalar, b: Scalar) -> Scalar:
    if a.dtype != np.float64:
        a, b = (x.cast(np.dtype(np.float64)) for x in (a, b))
        return b.equals(0).chosen(0, b * power(a, b - 1))
    magnitude, exact = absolute(a), b >= 0.5
    root = power(magnitude, exact.chosen(b - 1, b) * 0.5)
    slope = b * root / exact.chosen(1, magnitude) * root
    slope = (magnitude.equals(0) & ~exact).chosen(b * math.inf, slope)
    turned = power((a < 0).chosen(-1, a.like(1)), b - 1)
    return b.equals(0).chosen(0, slope * turned)


def exponent_slope(a: Scalar, b: Scalar) -> Scalar:
    wide = np.dtype(np.float64)
    a, b = a.cast(wide), b.cast(wide)
    magnitude = absolute(a)
    root = power(magnitude, b * 0.5)
    turned = power((a < 0).chosen(-1, a.like(1)), b)
    slope = root * log(magnitude.equals(0).chosen(1, magnitude)) * root * turned
    return magnitude.equals(0).chosen(0, slope)


def leg(a: Scalar, b: Scalar) -> Scalar:
    scale = maximum(absolute(a), absolute(b))
    scale = scale.equals(0).chosen(1, scale)
    a = a / scale
    length = hypot(a, b / scale)
    return a / length.equals(0).chosen(1, length)


def turn(a: Scalar, b: Scalar) -> Scalar:
    """`b / (a^2 + b^2)`, scaled by the greater of the two."""
    scale = maximum(absolute(a), absolute(b))
    safe = (scale.equals(0) | isinf(scale)).chosen(1, scale)
    x, y = a / safe, b / safe
    return isinf(scale).chosen(b / scale, y / scale.equals(0).chosen(1, x * x + y * y) / safe)


ARITHMETIC = {
    **plain("add", "subtract", "multiply", "divide", "floor_divide", "remainder", "negative", "abs", "sign", "copysign",
            "nextafter", "square", "sqrt", "reciprocal"),
    **plain("hypot", "cbrt", costly=True),
    "positive": Row(lambda x: x), "cast": Row(lambda x, dtype: x), "integer_cast": Row(lambda x, dtype: x),
    "stop_gradient": Row(lambda x: x), "heaviside": Row(heaviside), "chain": Row(chain),
    "pow": Row(pow_values, costly=True), "base_slope": Row(base_slope, costly=True),
    "exponent_slope": Row(exponent_slope, costly=True), "leg": Row(leg, costly=True), "turn": Row(turn, costly=True),
    "deg2rad": Row(lambda x: x * (math.pi / 180)), "rad2deg": Row(lambda x: x * (180 / math.pi)),
}


# ---------------------------------------------------------------------------------------- exponentials and circles
def logaddexp(a: Scalar, b: Scalar) -> Scalar:
    """Two equal infinities have no difference."""
    more = a.equals(b).chosen(math.log(2.0), log1p(exp(-absolute(a - b))))
    return maximum(a, b) + more


def share(a: Scalar, b: Scalar) -> Scalar:
    """What the difference loses by rounding is given back as a factor, as in the operation itself."""
    difference = a - b
    back = difference - a
    lost = (a - (difference - back)) - (b + back)
    lost = isfinite(lost).chosen(lost, 0)
    small = exp(-absolute(difference)) * (1 - copysign(lost, lost * sign(difference)))
    part = (difference < 0).chosen(small, 1) / (1 + small)
    return a.equals(-math.inf).chosen(0, part)


def times(logarithm: Formula) -> Formula:
    return lambda x, z: (x.equals(0) & ~isnan(z)).chosen(0, x * logarithm(z))


CURVES = {
    **plain("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
            "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", costly=True),
    "sigmoid": Row(sigmoid, costly=True),
    "logaddexp": Row(logaddexp, costly=True), "share": Row(share, costly=True),
    "xlogy": Row(times(log), costly=True), "xlog1py": Row(times(log1p), costly=True),
}


# ---------------------------------------------------------------------------------------- choices
def where(condition: Scalar, a: Scalar, b: Scalar) -> Scalar:
    return condition.chosen(a, b)


def clip(x: Scalar, low: Scalar | None, high: Scalar | None) -> Scalar:
    raised = x if low is None else maximum(x, low)
    return raised if high is None else minimum(raised, high)


def wins(a: Scalar, b: Scalar) -> Scalar:
    half = a.writer.constant(0.5, a.dtype if a.dtype.kind == "f" else np.dtype(np.float64))
    if a.dtype == BOOL:
        return (a >= b).chosen(half, 0)
    return (a > b).chosen(1, (a >= b).chosen(half, 0))


def nan_to_num(x: Scalar, nan: float, posinf: float | None, neginf: float | None) -> Scalar:
    if x.dtype.kind != "f":
        return x
    info = np.finfo(x.dtype)
    y = isnan(x).chosen(nan, x)
    y = x.equals(math.inf).chosen(float(info.max) if posinf is None else posinf, y)
    return x.equals(-math.inf).chosen(float(info.min) if neginf is None else neginf, y)


CHOICES = {
    **plain("maximum", "minimum", "fmax", "fmin"),
    "where": Row(where, "apart"), "clip": Row(clip), "wins": Row(wins, "promoted"), "nan_to_num": Row(nan_to_num),
}


# ---------------------------------------------------------------------------------------- questions
def isclose(a: Scalar, b: Scalar, rtol: float, atol: float, equal_nan: bool) -> Scalar:
    if a.dtype.kind != "f":
        a, b = (x.cast(np.dtype(np.float64)) for x in (a, b))
    near = (absolute(a - b) <= atol + rtol * absolute(b)) & isfinite(b)
    near = near | a.equals(b)
    return near | (isnan(a) & isnan(b)) if equal_nan else near


def tested(name: str) -> Row:
    """A test of floats; whole numbers are finite, and negative ones have a sign."""
    def run(x: Scalar) -> Scalar:
        if x.dtype.kind == "f":
            return x.apply(name)
        return x < 0 if name == "signbit" and x.dtype.kind == "i" else x.writer.constant(name == "isfinite", BOOL)
    return Row(run, "apart")


QUESTIONS = {
    **plain("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", meet="promoted"),
    **{name: tested(name) for name in ("isfinite", "isinf", "isnan", "signbit")},
    "isclose": Row(isclose, "promoted"),
    "logical_and": Row(lambda a, b: a & b, "apart"), "logical_or": Row(lambda a, b: a | b, "apart"),
    "logical_xor": Row(lambda a, b: a.truth().differs(b.truth()), "apart"), "logical_not": Row(lambda x: ~x, "apart"),
    **plain("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_invert", "bitwise_left_shift", "bitwise_right_shift"),
}


# ---------------------------------------------------------------------------------------- rounding
def rounding(name: str) -> Row:
    """To whole numbers, which whole numbers are already."""
    return Row(lambda x, decimals=0: x.apply(name) if x.dtype.kind == "f" else x)


ROUNDING = {name: rounding(name) for name in ("floor", "ceil", "trunc", "round")}
