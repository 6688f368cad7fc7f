"""Exponentials and logarithms."""
from __future__ import annotations

import math

import numpy as np

from chainrule.core.type import Array

from .choice import where
from .comparison import equal, less_equal
from .elementwise import elementwise, gate

LOG_2 = math.log(2.0)
LOG_10 = math.log(10.0)


@elementwise(lambda y, x: y, tex="e^{{{0}}}", native=np.exp)
def exp(x: Array) -> Array:
    """The exponential, which is its own slope."""


def exp2_slope(y: Array, x: Array) -> Array:
    """`y log 2`, in halves, because `y` may overflow where this does not."""
    half = exp2(0.5 * x)
    return half * LOG_2 * half


@elementwise(exp2_slope, tex="2^{{{0}}}", native=np.exp2)
def exp2(x: Array) -> Array:
    """Two to the power of a number."""


@elementwise(lambda y, x: exp(x), tex="e^{{{0}}} - 1", native=np.expm1)
def expm1(x: Array) -> Array:
    """The exponential minus one, exact for small numbers too."""


@elementwise(lambda y, x: 1 / x, domain=(0.1, 3.0), tex=r"\log {0}", native=np.log)
def log(x: Array) -> Array:
    """The natural logarithm."""


@elementwise(lambda y, x: 1 / (1 + x), domain=(-0.5, 3.0), tex=r"\log(1 + {0})", native=np.log1p)
def log1p(x: Array) -> Array:
    """The logarithm of one plus a number, exact for small numbers too."""


@elementwise(lambda y, x: (1 / LOG_2) / x, domain=(0.1, 3.0), tex=r"\log_2 {0}", native=np.log2)
def log2(x: Array) -> Array:
    """The logarithm to base 2."""


@elementwise(lambda y, x: (1 / LOG_10) / x, domain=(0.1, 3.0), tex=r"\log_{{10}} {0}", native=np.log10)
def log10(x: Array) -> Array:
    """The logarithm to base 10."""


@elementwise(lambda y, a, b: share(a, b), lambda y, a, b: share(b, a), tex=r"\log(e^{{{0}}} + e^{{{1}}})", native=np.logaddexp)
def logaddexp(a: Array, b: Array) -> Array:
    """The logarithm of a sum of two exponentials, which are not computed themselves and so cannot overflow."""


def share_values(a: Array, b: Array) -> Array:
    """What the difference `a - b` loses by rounding (Knuth, TAOCP 2, 4.2.2, theorem B) is given back as a factor: in the tails it
    is worth hundreds of units in the last place.
    """
    with np.errstate(all="ignore"):
        difference = np.subtract(a, b)
        back = difference - a
        lost = (a - (difference - back)) - np.add(b, back)
        lost = np.where(np.isfinite(lost), lost, lost.dtype.type(0))
        small = np.exp(-np.abs(difference)) * (1 - np.copysign(lost, lost * np.sign(difference)))
        part = np.where(difference < 0, small, lost.dtype.type(1)) / (1 + small)
        return np.where(np.equal(a, -np.inf), lost.dtype.type(0), part)[()]


@gate(lambda y, a, b: y * share(b, a), lambda y, a, b: -y * share(b, a), forward=share_values,
      tex=r"\frac{{e^{{{0}}}}}{{e^{{{0}}} + e^{{{1}}}}}")
def share(a: Array, b: Array) -> Array:
    """The part of `e^a` in the sum `e^a + e^b`; 0 where `a` is -inf, also in a sum of nothing."""
    return exp(a) / (exp(a) + exp(b))


@elementwise(lambda y, x, z: where(equal(x, 0) & less_equal(z, 0), 0.0, log(z)), lambda y, x, z: where(equal(x, 0), 0.0, x / z),
             domain=((-3.0, 3.0), (0.1, 3.0)), tex=r"{0} \log {1}")
def xlogy(x: Array, z: Array) -> Array:
    """`x log z`, and 0 where `x` is 0, whatever `z`; both slopes are 0 where `x` is 0 and `z` is not positive.

    >>> import chainrule as cr
    >>> cr.grad(cr.xlogy, argnums=(0, 1))(0.0, 0.0)
    (np.float64(0.0), np.float64(0.0))
    """
    return times(x, z, np.log)


@elementwise(lambda y, x, z: where(equal(x, 0) & less_equal(z, -1), 0.0, log1p(z)),
             lambda y, x, z: where(equal(x, 0), 0.0, x / (1 + z)), domain=((-3.0, 3.0), (-0.5, 3.0)),
             tex=r"{0} \log(1 + {1})")
def xlog1py(x: Array, z: Array) -> Array:
    """`x log(1 + z)`, and 0 where `x` is 0, whatever `z`; both slopes are 0 where `x` is 0 and `z` at most -1."""
    return times(x, z, np.log1p)


def times(x: Array, z: Array, logarithm: np.ufunc) -> Array:
    dtype = np.result_type(x, z, np.float16)  # integers become float64, and a Python number keeps its hands off
    with np.errstate(all="ignore"):
        product = np.multiply(x, logarithm(np.asarray(z, dtype)))
    return np.where(np.equal(x, 0) & ~np.isnan(z), product.dtype.type(0), product)[()]
