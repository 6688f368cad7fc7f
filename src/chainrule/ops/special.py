"""Special functions: the error function with its kin, and the cardinal sine, correct to the last places."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.type import Array

from .elementwise import elementwise, gate
from .exponential import exp
from .power import pow

Float64 = np.ndarray[Any, np.dtype[np.float64]]

# Coefficients and intervals of erf and erfc: s_erf.c of fdlibm 5.3, (c) 1993 Sun Microsystems, see NOTICE. Lowest power first.
ERX = 8.45062911510467529297e-01
NEAR_ZERO = ((1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
              -5.77027029648944159157e-03, -2.37630166566501626084e-05),
             (1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
              1.32494738004321644526e-04, -3.96022827877536812320e-06))
NEAR_ONE = ((-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
             3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
             -2.16637559486879084300e-03),
            (1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
             1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02))
MIDDLE = ((-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01,
           -6.23753324503260060396e+01, -1.62396669462573470355e+02, -1.84605092906711035994e+02,
           -8.12874355063065934246e+01, -9.81432934416914548592e+00),
          (1.0, 1.96512716674392571292e+01, 1.37657754143519042600e+02, 4.34565877475229228821e+02,
           6.45387271733267880336e+02, 4.29008140027567833386e+02, 1.08635005541779435134e+02,
           6.57024977031928170135e+00, -6.04244152148580987438e-02))
TAIL = ((-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01,
         -1.60636384855821916062e+02, -6.37566443368389627722e+02, -1.02509513161107724954e+03,
         -4.83519191608651397019e+02),
        (1.0, 3.03380607434824582924e+01, 3.25792512996573918826e+02, 1.53672958608443695994e+03,
         3.19985821950859553908e+03, 2.55305040643316442583e+03, 4.74528541206955367215e+02,
         -2.24409524465858183362e+01))


def polynomial(coefficients: tuple[float, ...], x: Float64) -> Float64:
    """Horner's scheme."""
    total = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total *= x
        total += c
    return total


def ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Float64) -> Float64:
    above, below = coefficients
    return polynomial(above, x) / polynomial(below, x)


def pointed(x: Float64) -> tuple[Float64, Float64]:
    """`-x^2` as a sum of two numbers: the square of `x` rounded to float32, which is exact, and what is missing.

    A rounded square of 700 is off by 6e-14, and its exponential by as large a part.
    """
    short = x.astype(np.float32).astype(np.float64)
    return -short * short, (short - x) * (short + x)


def tail(x: Float64, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Float64:
    """`erfc` from 1.25 up."""
    x = np.minimum(x, 30.0)  # where it has long been 0
    exponent, rest = pointed(x)
    return np.exp(exponent - 0.5625) * np.exp(rest + ratio(coefficients, 1 / (x * x))) / x


def near_zero(x: Float64) -> tuple[Float64, Float64]:
    """`erf` and `erfc` up to 0.84375."""
    product = x * ratio(NEAR_ZERO, x * x)
    return x + product, np.where(x < 0.25, 1 - (x + product), 0.5 - ((x - 0.5) + product))


def near_one(x: Float64) -> tuple[Float64, Float64]:
    """`erf` and `erfc` from 0.84375 to 1.25, on either side."""
    more = ratio(NEAR_ONE, np.abs(x) - 1)
    return np.copysign(ERX + more, x), np.where(x > 0, 1 - ERX - more, 1 + (ERX + more))


def far(x: Float64, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> tuple[Float64, Float64]:
    """`erf` and `erfc` from 1.25 up, on either side."""
    little = tail(np.abs(x), coefficients)
    return np.copysign(1 - little, x), np.where(x > 0, little, 2 - little)


INTERVALS: tuple[tuple[float, Callable[[Float64], tuple[Float64, Float64]]], ...] = (
    (0.84375, near_zero), (1.25, near_one), (1 / 0.35, lambda x: far(x, MIDDLE)), (np.inf, lambda x: far(x, TAIL)))
"""Where each interval of |x| ends, and `erf` and `erfc` there."""
CHUNK = 8192  # numbers at a time: what they need fits into the cache
FEW = 1000  # up to here the C library, one number after the other, is faster


def piecewise(x: Array, one: Callable[[float], float], which: int) -> Array:
    """`erf` (0) or `erfc` (1) in float64, each number by the formula of its interval; few of them by `one`, the C library's."""
    given = np.asarray(x)
    dtype = given.dtype if given.dtype.kind == "f" else np.dtype(np.float64)
    if given.size <= FEW:
        return np.array([one(v) for v in given.ravel().tolist()], dtype).reshape(given.shape)[()]
    flat = given.astype(np.float64).ravel()
    out = np.full_like(flat, np.nan)
    with np.errstate(under="ignore"):
        for start in range(0, flat.size, CHUNK):
            chunk, result = flat[start:start + CHUNK], out[start:start + CHUNK]
            size, low = np.abs(chunk), 0.0
            for high, formula in INTERVALS:
                chosen = np.flatnonzero((size >= low) & (size <= high))
                if chosen.size:
                    result[chosen] = formula(chunk[chosen])[which]
                low = high
    return out.reshape(given.shape).astype(dtype)


@elementwise(lambda y, x: (2 / math.sqrt(math.pi)) * gaussian(x), tex=r"\operatorname{{erf}} {0}")
def erf(x: Array) -> Array:
    """The error function: the probability that a normal number of variance 1/2 lies within `x` of 0, with the sign of `x`.

    Integers give float64. Source: fdlibm (Sun, 1993).

    >>> import chainrule as cr, numpy as np
    >>> cr.erf(np.array([0.0, 1.0]))
    array([0.        , 0.84270079])
    """
    return piecewise(x, math.erf, 0)


@elementwise(lambda y, x: (-2 / math.sqrt(math.pi)) * gaussian(x), tex=r"\operatorname{{erfc}} {0}")
def erfc(x: Array) -> Array:
    """One minus the error function, exact in the right tail too, where `1 - erf(x)` has no digits left.

    Integers give float64. Source: fdlibm (Sun, 1993).
    """
    return piecewise(x, math.erfc, 1)


def gaussian_values(x: Array) -> Array:
    """The square is taken in two parts, because the exponential multiplies its rounding error."""
    given = np.asarray(x)
    with np.errstate(under="ignore"):
        exponent, rest = pointed(np.clip(given, -40.0, 40.0).astype(np.float64))
        bell = np.exp(exponent) * np.exp(rest)
    return bell.astype(given.dtype if given.dtype.kind == "f" else np.float64)[()]


@gate(lambda y, x: -2 * (x * y), tex="e^{{-{0}^2}}", forward=gaussian_values)
def gaussian(x: Array) -> Array:
    """The bell curve `exp(-x^2)`."""
    return exp(-pow(x, 2))


# ---------------------------------------------------------------------------------------- the cardinal sine
@elementwise(lambda y, x: -math.pi * spherical_bessel(x, order=1), tex=r"\operatorname{{sinc}} {0}")
def sinc(x: Array) -> Array:
    """`sin(pi x) / (pi x)`, and 1 at 0; exactly 0 at the other whole numbers."""
    return spherical_bessel.forward(x, order=0)


def bessel_slope(y: Array, x: Array, order: int) -> Array:
    lower = order * spherical_bessel(x, order=order - 1) if order else 0.0
    return math.pi / (2 * order + 1) * (lower - (order + 1) * spherical_bessel(x, order=order + 1))


@elementwise(bessel_slope, tex=r"j_{{{order}}}(\pi {0})")
def spherical_bessel(x: Array, *, order: int = 0) -> Array:
    """The spherical Bessel function `j_order(pi x)`: the cardinal sine, and what its slopes are made of.

    By its power series where that is short, else by its upward recurrence (Abramowitz and Stegun, 10.1.2 and 10.1.19).
    """
    given = np.asarray(x)
    wide = given.astype(np.float64)
    with np.errstate(all="ignore"):
        z, shrink = math.pi * wide, 1 / wide / math.pi  # the product may overflow where its inverse is a number
        turned = wide - 2 * np.round(wide / 2)  # the same angle, exactly, from -pi to pi
        folded = np.where(np.abs(turned) > 0.5, np.copysign(1.0, turned) - turned, turned)
        sine, cosine = np.sin(math.pi * folded), np.sin(math.pi * (0.5 - np.abs(turned)))
        before, current = cosine * shrink, sine * shrink
        for n in range(order):
            before, current = current, (2 * n + 1) * shrink * current - before
    out = np.where(np.isinf(wide), 0.0, current)
    near = np.abs(z) < (1.5 + order if order else 1e-8)
    if near.any():
        out = np.where(near, series(z, order), out)
    return out.astype(given.dtype if given.dtype.kind == "f" else np.float64)[()]


def series(z: Float64, order: int) -> Float64:
    """The power series of the spherical Bessel function; 24 terms are enough up to its first maximum."""
    z = np.clip(z, -1.5 - order, 1.5 + order)
    half = -z * z / 2
    total = np.ones_like(z)
    for k in range(24, 0, -1):
        total = 1 + half / (k * (2 * (order + k) + 1)) * total
    for n in range(order):
        total = total * z / (2 * n + 3)
    return total
