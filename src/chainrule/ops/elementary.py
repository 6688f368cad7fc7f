"""Elementary functions: exponentials, logarithms, powers, circular and hyperbolic functions."""
from __future__ import annotations

import numpy as np

from chainrule.core.type import Array

from .elementwise import elementwise


@elementwise(lambda y, x: y, tex="e^{{{0}}}")
def exp(x: Array) -> Array:
    """The exponential, which is its own slope."""
    return np.exp(x)


@elementwise(lambda y, x: 1 / x, domain=(0.1, 3.0), tex=r"\log {0}")
def log(x: Array) -> Array:
    """The natural logarithm."""
    return np.log(x)


@elementwise(lambda y, x: cos(x), tex=r"\sin {0}")
def sin(x: Array) -> Array:
    """Sine of an angle in radians."""
    return np.sin(x)


@elementwise(lambda y, x: -sin(x), tex=r"\cos {0}")
def cos(x: Array) -> Array:
    """Cosine of an angle in radians."""
    return np.cos(x)
