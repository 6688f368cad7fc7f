"""Rounding maps a number to a whole one nearby: flat between its jumps, so its gradient is zero, and the path is not cut."""
from __future__ import annotations

import numpy as np

from chainrule.core.type import Array

from .elementwise import elementwise


@elementwise(0, tex=r"\lfloor {0} \rfloor", native=np.floor)
def floor(x: Array) -> Array:
    """The greatest whole number not above `x`."""


@elementwise(0, tex=r"\lceil {0} \rceil", native=np.ceil)
def ceil(x: Array) -> Array:
    """The least whole number not below `x`."""


@elementwise(0, native=np.trunc)
def trunc(x: Array) -> Array:
    """The whole part of `x`: rounded towards zero."""


@elementwise(0)
def round(x: Array, *, decimals: int = 0) -> Array:
    """The nearest whole number, or the nearest with `decimals` decimals; a half goes to the even neighbour (IEEE 754)."""
    return np.round(x, decimals)
