"""The hyperbolic functions and their inverses."""
from __future__ import annotations

import numpy as np

from chainrule.core.type import Array

from .elementwise import elementwise
from .power import hypot, sqrt


@elementwise(lambda y, x: cosh(x), tex=r"\sinh {0}", native=np.sinh)
def sinh(x: Array) -> Array:
    """Hyperbolic sine."""


@elementwise(lambda y, x: sinh(x), tex=r"\cosh {0}", native=np.cosh)
def cosh(x: Array) -> Array:
    """Hyperbolic cosine."""


def tanh_slope(y: Array, x: Array) -> Array:
    """`1 / cosh(x)^2`: the shorter `1 - y^2` has no digits left in the tails (in float32 it is 0 beyond |x| = 9).

    And a formula with `exp(-2 |x|)` has a kink at 0, which would spoil the third derivative there.
    """
    height = cosh(x)
    return 1 / height / height


@elementwise(tanh_slope, tex=r"\tanh {0}", native=np.tanh)
def tanh(x: Array) -> Array:
    """Hyperbolic tangent: squashes any number smoothly into (-1, 1)."""


@elementwise(lambda y, x: 1 / hypot(1.0, x), tex=r"\operatorname{{arsinh}} {0}", native=np.arcsinh)
def asinh(x: Array) -> Array:
    """The inverse of the hyperbolic sine."""


@elementwise(lambda y, x: 1 / (sqrt(x - 1) * sqrt(x + 1)), domain=(1.2, 4.0), tex=r"\operatorname{{arcosh}} {0}",
             native=np.arccosh)
def acosh(x: Array) -> Array:
    """The inverse of the hyperbolic cosine, for numbers from 1 up."""


@elementwise(lambda y, x: 1 / ((1 - x) * (1 + x)), domain=(-0.9, 0.9), tex=r"\operatorname{{artanh}} {0}", native=np.arctanh)
def atanh(x: Array) -> Array:
    """The inverse of the hyperbolic tangent, for numbers between -1 and 1."""
