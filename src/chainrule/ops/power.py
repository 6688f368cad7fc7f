"""Powers and roots, and the length of a vector with two legs."""
from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from chainrule.core.type import Array

from .arithmetic import abs
from .broadcasting import chain
from .elementwise import elementwise, gate
from .exponential import log

POSITIVE = ((0.5, 2.0), (-3.0, 3.0))


@elementwise(lambda y, x: 2 * x, tex="{{{0}}}^2", native=np.square)
def square(x: Array) -> Array:
    """The number times itself."""


@elementwise(lambda y, x: 0.5 / y, domain=(0.1, 3.0), tex=r"\sqrt{{{0}}}", native=np.sqrt)
def sqrt(x: Array) -> Array:
    """The square root; its slope in 0 is infinite."""


@elementwise(lambda y, x: 1 / (3 * y * y), domain=(0.1, 3.0), tex=r"\sqrt[3]{{{0}}}", native=np.cbrt)
def cbrt(x: Array) -> Array:
    """The cube root, of negative numbers too; its slope in 0 is infinite."""


@elementwise(lambda y, x: -(y * y), domain=(0.3, 3.0), tex=r"\frac{{1}}{{{0}}}", native=np.reciprocal)
def reciprocal(x: Array) -> Array:
    """One divided by the number."""


def slope_in_base(y: Array, a: Array, b: Array) -> Array:
    """`b a^(b-1)`; where the exponent is a Python number and `b - 1` is exact, in as few steps as a person would take."""
    if type(b) in (int, float) and builtins.abs(b) >= 0.5 and (b - 1) + 1 == b:
        return 2 * a if b == 2 else b * pow(a, b - 1)
    return base_slope(a, b)


@elementwise(slope_in_base, lambda y, a, b: exponent_slope(a, b), domain=POSITIVE, tex="{{{0}}}^{{{1}}}", infix="**")
def pow(a: Array, b: Array) -> Array:
    """`a` to the power `b`.

    `pow(0, 0)` is 1, with both gradients 0. A negative base has integer powers only; the gradient in their exponent is that
    of the real part, `y log|a|`.
    """
    return a ** b if type(b) in (int, float) and type(a) is np.ndarray else np.power(a, b)


def mixed(y: Array, a: Array, b: Array) -> Array:
    """The derivative of a power in base and exponent, `a^(b-1) (1 + b log|a|)`."""
    return chain(pow(a, b - 1), 1 + chain(b, log(abs(a))))


def base_slope_values(a: Array, b: Array) -> Array:
    """Where `b - 1` is not exact, `a^b / a` takes the place of `a^(b-1)`. Each power is the square of its root, so that neither
    overflows or underflows before the result does. float32 is computed in float64, where nothing of this matters.
    """
    dtype = np.result_type(a, b)
    with np.errstate(all="ignore"):
        if dtype != np.float64:
            b = np.asarray(b, np.float64)
            return np.asarray(np.where(b == 0, 0.0, b * np.power(np.asarray(a, np.float64), b - 1)), dtype)[()]
        magnitude = np.abs(a)
        exact = np.greater_equal(b, 0.5)
        root = np.power(magnitude, np.multiply(np.where(exact, np.subtract(b, 1), b), 0.5))
        slope: Any = b * root / np.where(exact, 1.0, magnitude) * root
        slope = np.where((magnitude == 0) & ~exact, b * np.inf, slope)
        sign = np.power(np.where(np.less(a, 0), -1.0, 1.0), np.subtract(b, 1))
        return np.where(np.equal(b, 0), 0.0, slope * sign)[()]


@gate(lambda y, a, b: chain(b, base_slope(a, b - 1)), mixed, domain=POSITIVE, tex="{1} {{{0}}}^{{{1} - 1}}",
      forward=base_slope_values)
def base_slope(a: Array, b: Array) -> Array:
    """The slope of a power in its base, `b a^(b-1)`, and 0 for `b = 0`."""
    return b * pow(a, b - 1)


def exponent_slope_values(a: Array, b: Array) -> Array:
    """In float64, and with the power as the square of its root, which does not overflow before the result does."""
    dtype = np.result_type(a, b)
    with np.errstate(all="ignore"):
        wide: Any = np.asarray(a, np.float64 if dtype == np.float32 else dtype)
        magnitude = np.abs(wide)
        root = np.power(magnitude, np.multiply(b, 0.5))
        sign = np.power(np.where(wide < 0, -1.0, 1.0), b)
        slope = root * np.log(np.where(magnitude == 0, 1.0, magnitude)) * root * sign
        return np.asarray(np.where(magnitude == 0, 0.0, slope), dtype)[()]


@gate(mixed, lambda y, a, b: chain(y, log(abs(a))), domain=POSITIVE, tex=r"{{{0}}}^{{{1}}} \log |{0}|",
      forward=exponent_slope_values)
def exponent_slope(a: Array, b: Array) -> Array:
    """The slope of a power in its exponent, `a^b log|a|`, and 0 for `a = 0`."""
    return pow(a, b) * log(abs(a))


@elementwise(lambda y, a, b: leg(a, b), lambda y, a, b: leg(b, a), domain=(0.3, 3.0), tex=r"\sqrt{{{0}^2 + {1}^2}}",
             native=np.hypot)
def hypot(a: Array, b: Array) -> Array:
    """The length of a vector with legs `a` and `b`; both slopes are 0 at `hypot(0, 0)`."""


def leg_values(a: Array, b: Array) -> Array:
    """Scaled by the longer leg, so that nothing overflows; 0 where there is no direction."""
    scale = np.maximum(np.abs(a), np.abs(b))
    scale = np.where(scale == 0, scale.dtype.type(1), scale)
    a = a / scale
    length = np.hypot(a, b / scale)
    return a / np.where(length == 0, length.dtype.type(1), length)


@gate(lambda y, a, b: chain(square(leg(b, a)), 1 / hypot(a, b)), lambda y, a, b: -chain(y * leg(b, a), 1 / hypot(a, b)),
      domain=(0.3, 3.0), tex=r"\frac{{{0}}}{{\sqrt{{{0}^2 + {1}^2}}}}", forward=leg_values)
def leg(a: Array, b: Array) -> Array:
    """The leg `a` of a vector `(a, b)` scaled to length 1, and 0 where there is no direction."""
    return a / hypot(a, b)
