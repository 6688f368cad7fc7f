"""The normal distribution, and the gate that weighs a number by the chance of a normal one to be smaller: gelu."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.type import Array
from chainrule.errors import ArgumentError

from .activation import FAR, sigmoid, sigmoid_values
from .choice import clip
from .elementwise import elementwise, gate
from .families import arrays, several
from .hyperbolic import tanh
from .special import erf, erfc

DENSITY = 1 / math.sqrt(2 * math.pi)
PIVOT = 4.0
BEYOND = {
    np.dtype("float32"): (7.552851386e-01, -6.078965941e-01, 3.871366831e-01, -1.865233068e-01, 6.040618551e-02,
                          -7.525402418e-03, -3.520972824e-03, 1.566881688e-03, 1.889965194e-04, -1.255583856e-04),
    np.dtype("float64"): (0.7552851304157515, -0.6078966419718917, 0.38713740074221936, -0.1865218579596934,
                          0.06039657489067665, -0.007540188965625017, -0.0034796923618040597, 0.0016308184424805887,
                          0.00013334424978358428, -0.00023109482414997105, -1.9078434059248706e-06, 3.51442149682578e-05,
                          7.149308325478401e-07, -5.919013186154044e-06, -6.249906995369785e-07, 1.0200713392568465e-06,
                          2.6354310560684456e-07, -1.546196819122192e-07, -7.634712843441086e-08, 1.4842390072751344e-08,
                          1.3976528155950821e-08, -1.015295717649618e-11, -9.990624160023276e-10),
}
"""Coefficients, lowest power first, of `(t + 4) e^(t^2 / 2) P(normal > t)` in `(t - 4) / (t + 4)`, interpolated at Chebyshev's
points with 300 bits; the relative errors are below 2e-8 and 4e-17. The substitution is that of Shepherd and Laframboise,
Chebyshev approximation of (1 + 2x) exp(x^2) erfc x, Mathematics of Computation 36, 1981."""


# ---------------------------------------------------------------------------------------- the normal distribution
def wide(x: Array) -> tuple[Any, np.dtype[Any]]:
    """The numbers in float64, up to 40, where the density has long been 0; and the dtype the result is to have."""
    given = np.asarray(x)
    return np.clip(given, -40.0, 40.0).astype(np.float64), given.dtype if given.dtype.kind == "f" else np.dtype(np.float64)


def bell(x: Any, dtype: np.dtype[Any]) -> Any:
    """`exp(-x^2 / 2)`. A float64 is squared in two parts, because the exponential multiplies the rounding error."""
    if dtype != np.float64:
        return np.exp(-0.5 * (x * x))
    short = x.astype(np.float32).astype(np.float64)
    return np.exp(-0.5 * (short * short)) * np.exp(0.5 * (short - x) * (short + x))


def distribution(x: Any, dtype: np.dtype[Any], height: Any) -> Any:
    """The chance of a normal number to be smaller than `x`, whose bell curve is `height`; its left tail has all its digits."""
    working = dtype if dtype in BEYOND else np.dtype(np.float32)
    t = np.abs(x).astype(working)
    k = (t - PIVOT) / (t + PIVOT)
    coefficients = BEYOND[working]
    total = np.full_like(k, coefficients[-1])
    for c in coefficients[-2::-1]:
        total *= k
        total += c
    tail = height * (total / (t + PIVOT))
    return np.copysign(tail, -x) + ~np.signbit(x)


def normal_pdf_values(x: Array) -> Array:
    inside, dtype = wide(x)
    return (DENSITY * bell(inside, dtype)).astype(dtype)[()]


def ndtr_values(x: Array) -> Array:
    inside, dtype = wide(x)
    return distribution(inside, dtype, bell(inside, dtype)).astype(dtype)[()]


@elementwise(lambda y, x: -clip(x, -FAR, FAR) * y, tex=r"\phi({0})")
def normal_pdf(x: Array) -> Array:
    """The density of the standard normal distribution, `exp(-x^2 / 2) / sqrt(2 pi)`."""
    return normal_pdf_values(x)


@gate(lambda y, x: normal_pdf(x), tex=r"\Phi({0})", forward=ndtr_values)
def ndtr(x: Array) -> Array:
    """The standard normal distribution function: the chance of a normal number to be smaller than `x`.

    The name is that of SciPy and of torch.special.
    """
    return 0.5 * erfc(-math.sqrt(0.5) * x)


# ---------------------------------------------------------------------------------------- gelu
ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)
CUBE = 0.044715


def exact_values(x: Array) -> Array:
    inside, dtype = wide(x)
    return (np.maximum(x, -40.0) * distribution(inside, dtype, bell(inside, dtype))).astype(dtype)[()]


def exact_slope_values(x: Array) -> Array:
    inside, dtype = wide(x)
    height = bell(inside, dtype)
    return (distribution(inside, dtype, height) + DENSITY * inside * height).astype(dtype)[()]


def curvature(y: Array, x: Array) -> Array:
    z = clip(x, -FAR, FAR)
    return (2 - z * z) * normal_pdf(z)


@gate(curvature, tex=r"\Phi({0}) + {0}\,\phi({0})", forward=exact_slope_values)
def gelu_slope(x: Array) -> Array:
    """The slope of the exact gelu, in one pass."""
    return ndtr(x) + x * normal_pdf(x)


def bend(x: Array) -> Array:
    """Twice the argument of the tanh, `sqrt(2/pi) (x + 0.044715 x^3)`: `(1 + tanh(u)) / 2` is the sigmoid of `2u`."""
    return 2 * ROOT_TWO_OVER_PI * (x + CUBE * (x * x * x))


def tanh_values(x: Array) -> Array:
    inside, dtype = wide(x)
    return (np.maximum(x, -40.0) * sigmoid_values(bend(inside))).astype(dtype)[()]


def tanh_slope(x: Array) -> Array:
    z = clip(x, -40.0, 40.0)
    u = bend(z)
    s = sigmoid(u)
    return s * (1 + z * sigmoid(-u) * (2 * ROOT_TWO_OVER_PI * (1 + 3 * CUBE * (z * z))))


APPROXIMATE: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "none": (exact_values, gelu_slope),
    "tanh": (tanh_values, tanh_slope),
}


def gelu_prepare(x: Array, approximate: str = "none") -> Any:
    if approximate not in APPROXIMATE:
        raise ArgumentError(f"gelu: approximate={approximate!r} is none of 'none' and 'tanh'.")
    return (x,), {"approximate": approximate}


@gate(lambda y, x, approximate: APPROXIMATE[approximate][1](x), prepare=gelu_prepare, tex=r"\mathrm{{GELU}}({0})",
      samples=several(arrays((3, 4), low=-3, high=3), arrays((4,), approximate="tanh")),
      forward=lambda x, approximate: APPROXIMATE[approximate][0](x))
def gelu(x: Array, *, approximate: str = "none") -> Array:
    """`x` times the chance of a normal number to be smaller than `x`.

    With `approximate="tanh"`, the shorter formula by which GPT-2 and others were trained.

    Source: Hendrycks and Gimpel, Gaussian error linear units, 2016.
    """
    if approximate == "tanh":
        return 0.5 * x * (1 + tanh(ROOT_TWO_OVER_PI * (x + CUBE * (x * x * x))))
    return 0.5 * x * (1 + erf(math.sqrt(0.5) * x))
