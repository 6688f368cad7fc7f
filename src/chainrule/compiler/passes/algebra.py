"""The algebra of numbers, as far as it holds for floats, too: with NaN, with infinities, and to the last bit or nearly so."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.stage import Line
from chainrule.core.type import Array, is_float, typeof
from chainrule.ops.arithmetic import abs, add, divide, multiply, negative, subtract
from chainrule.ops.broadcasting import astype, chain
from chainrule.ops.choice import where
from chainrule.ops.exponential import exp
from chainrule.ops.power import pow, reciprocal, sqrt, square

from .patterns import Row, Rule, made, number


def adds_nothing(x: Array, c: Any) -> bool:
    """Whether x + c is x; 0.0 turns -0.0 into 0.0, -0.0 changes nothing."""
    return bool(c == 0) and (type(c) is not float or math.copysign(1, c) < 0)


def takes_nothing(x: Array, c: Any) -> bool:
    """Whether x - c is x: -0.0 turns -0.0 into 0.0, 0.0 changes nothing."""
    return bool(c == 0) and (type(c) is not float or math.copysign(1, c) > 0)


def is_power_of_two(x: Array, c: Any) -> bool:
    return type(c) is float and 0 < c < math.inf and math.frexp(c)[0] == 0.5 and -100 < math.frexp(c)[1] < 100


# ---------------------------------------------------------------------------------------- products of the chain rule
def plain_chain(line: Line, known: Any) -> Array:
    """A product in which 0 wins, where it is known from one of the factors what that comes to."""
    for g, slope in (line.args, line.args[::-1]):
        c = known.number(slope)
        if c is not None and c == 0:
            return np.zeros((), line.targets[0].type.dtype)
        if typeof(slope).dtype == np.bool_ and is_float(typeof(g).dtype):
            return where(slope, g, 0.0)
        if (math.isfinite(c) if c is not None else tame(slope)):
            return multiply(g, slope)
    return None


def tame(x: Array) -> bool:
    """Whether an array is known, finite and nowhere 0."""
    return type(x) is np.ndarray and x.dtype.kind == "f" and bool((np.isfinite(x) & (x != 0)).all())


def chosen(g: Array, condition: Array, dtype: Any) -> Array:
    """The product with an indicator is a choice."""
    return where(condition, g, 0.0) if typeof(condition).dtype == np.bool_ and typeof(g).dtype == dtype else None


# ---------------------------------------------------------------------------------------- powers
POWERS = {
    1: lambda x: x, 2: square, 3: lambda x: multiply(square(x), x), 4: lambda x: square(square(x)),
    -1: reciprocal, -2: lambda x: square(reciprocal(x)), 0.5: sqrt,
}


def small_power(line: Line, known: Any) -> Array:
    """A power with a Python number as exponent, as NumPy computes it, too."""
    x, exponent = line.args
    if type(exponent) in (int, float) and exponent in POWERS and (is_float(typeof(x).dtype) or exponent in (1, 2)):
        return POWERS[exponent](x)
    return None


def bell(x: Array) -> Array:
    """The slope of tanh, of one exponential and one division."""
    e = exp(multiply(abs(x), -2.0))
    share = divide(1.0, add(e, 1.0))
    return multiply(multiply(e, share), multiply(share, 4.0))


def sigmoid_slope(x: Array) -> Array:
    """The slope of sigmoid; it shares its exponential and its division with sigmoid itself."""
    e = exp(negative(abs(x)))
    share = divide(1.0, add(e, 1.0))
    return multiply(multiply(e, share), share)


# ---------------------------------------------------------------------------------------- dtypes
def keeps_all(inner: np.dtype[Any], middle: np.dtype[Any]) -> bool:
    """Whether every number of one dtype is exactly a number of the other."""
    if inner.kind in "iu" and middle.kind == "f":
        return inner.itemsize < middle.itemsize
    return np.can_cast(inner, middle, "safe")


def cast_directly(x: Array, middle: Any, dtype: Any) -> Array:
    return astype(x, dtype) if keeps_all(typeof(x).dtype, middle) and not typeof(x).weak else None


CASTS = ("cast", "integer_cast")
ROWS = (
    Row(made("positive", "x"), lambda x: x),
    Row(made("stop_gradient", "x"), lambda x: x),
    Row(made("add", "x", number("c")), lambda x, c: x, when=adds_nothing),
    Row(made("subtract", "x", number("c")), lambda x, c: x, when=takes_nothing),
    Row(made("multiply", "x", number(1)), lambda x: x),
    Row(made("divide", "x", number(1)), lambda x: x),
    Row(made("multiply", "x", number(-1)), lambda x: negative(x), when=lambda x: is_float(typeof(x).dtype)),
    Row(made("divide", "x", number("c")), lambda x, c: multiply(x, 1 / c), when=is_power_of_two),
    Row(made("negative", made("negative", "x")), lambda x: x),
    Row(made("add", "x", made("negative", "y")), lambda x, y: subtract(x, y)),
    Row(made("subtract", "x", made("negative", "y")), lambda x, y: add(x, y)),
    Row(made("multiply", made("negative", "x"), made("negative", "y")), lambda x, y: multiply(x, y)),
    Row(made("divide", made("negative", "x"), made("negative", "y")), lambda x, y: divide(x, y)),
    Row(made("multiply", made("negative", "x"), number("c")), lambda x, c: multiply(x, -c), when=lambda x, c: type(c) is float),
    Row(made("divide", made("negative", "x"), number("c")), lambda x, c: divide(x, -c), when=lambda x, c: type(c) is float),
    Row(made("divide", made("divide", number(1), made("cosh", "x")), made("cosh", "x")), bell),
    Row(made("multiply", made("sigmoid", "x"), made("sigmoid", made("negative", "x"))), sigmoid_slope),
    Row(made("square", made("negative", "x")), lambda x: square(x)),
    Row(made("square", made("abs", "x")), lambda x: square(x)),
    Row(made("abs", made("negative", "x")), lambda x: abs(x)),
    Row(made("abs", made("abs", "x")), lambda x: abs(x)),
    Row(made("chain", "g", number(1)), lambda g: g),
    Row(made("chain", "g", made("cast", "condition", dtype="dtype")), chosen),
    Rule((chain,), plain_chain),
    Rule((pow,), small_power),
    Row(made("where", number("c"), "a", "b"), lambda c, a, b: a if c else b),
    Row(made("where", "c", "x", "x"), lambda c, x: x),
    Row(made("where", "c", made("where", "c", "a", "b"), "d"), lambda c, a, b, d: where(c, a, d)),
    Row(made("where", "c", "a", made("where", "c", "b", "d")), lambda c, a, b, d: where(c, a, d)),
    Row(made("where", made("logical_not", "c"), "a", "b"), lambda c, a, b: where(c, b, a)),
    Row(made("maximum", "x", "x"), lambda x: x),
    Row(made("minimum", "x", "x"), lambda x: x),
    Row(made("logical_not", made("logical_not", "x")), lambda x: x),
    *(Row(made(cast, "x"), lambda x: x) for cast in CASTS),
    *(Row(made(outer, made("cast", "x", dtype="middle"), dtype="dtype"), cast_directly) for outer in CASTS),
)
