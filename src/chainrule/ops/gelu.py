"""The normal distribution, and the gate that weighs a number by the chance of a normal one to be smaller: gelu."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.type import Array
from chainrule.errors import ArgumentError

from .activation import FAR, sigmoid, sigmoid_values
from .choice import clip
from .elementwise import elementwise, gate
from .families import arrays, several
from .hyperbolic import tanh
from .special import erf, erfc, gaussian

ROOT_HALF = math.sqrt(0.5)
ROOT_HALF_HEAD = 11863283 / 2**24  # its first 24 bits: times another 24 bits it is exact
ROOT_HALF_TAIL = 1.210161710447897e-08
ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)
DENSITY = 1 / math.sqrt(2 * math.pi)
CUBE = 0.044715


def wide(x: Array) -> Any:
    """The numbers in float64, and the dtype the result is to have."""
    given = np.asarray(x)
    return np.clip(given, -40.0, 40.0).astype(np.float64), given.dtype if given.dtype.kind == "f" else np.dtype(np.float64)


def density(x: Any) -> Any:
    """The square is taken in two parts, because the exponential multiplies its rounding error."""
    short = x.astype(np.float32).astype(np.float64)
    return DENSITY * np.exp(-0.5 * (short * short)) * np.exp(0.5 * (short - x) * (short + x))


def distribution(x: Any) -> Any:
    """`erfc(z) / 2` at `z = -x sqrt(1/2)`. What rounding takes off z is given back: in the tail it is worth hundreds of units."""
    short = x.astype(np.float32).astype(np.float64)
    z = -x * ROOT_HALF
    lost = -((short * ROOT_HALF_HEAD + z) + (x - short) * ROOT_HALF_HEAD + x * ROOT_HALF_TAIL)
    return 0.5 * erfc.forward(z) - lost * (gaussian.forward(z) / math.sqrt(math.pi))


def normal_pdf_values(x: Array) -> Array:
    x, dtype = wide(x)
    return density(x).astype(dtype)[()]


def ndtr_values(x: Array) -> Array:
    x, dtype = wide(x)
    return distribution(x).astype(dtype)[()]


@elementwise(lambda y, x: -clip(x, -FAR, FAR) * y, tex=r"\phi({0})")
def normal_pdf(x: Array) -> Array:
    """The density of the standard normal distribution, `exp(-x^2 / 2) / sqrt(2 pi)`."""
    return normal_pdf_values(x)


@gate(lambda y, x: normal_pdf(x), tex=r"\Phi({0})", forward=ndtr_values)
def ndtr(x: Array) -> Array:
    """The standard normal distribution function: the chance of a normal number to be smaller than `x`.

    The name is that of SciPy and of torch.special.
    """
    return 0.5 * erfc(-ROOT_HALF * x)


# ---------------------------------------------------------------------------------------- gelu
def exact_values(x: Array) -> Array:
    inside, dtype = wide(x)
    return (np.maximum(x, -40.0) * distribution(inside)).astype(dtype)[()]


def exact_slope(x: Array) -> Array:
    return ndtr(x) + clip(x, -FAR, FAR) * normal_pdf(x)


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


APPROXIMATE = {"none": (exact_values, exact_slope), "tanh": (tanh_values, tanh_slope)}


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
    return 0.5 * x * (1 + erf(ROOT_HALF * x))
