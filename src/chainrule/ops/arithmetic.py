"""Arithmetic: the four operations and their kin, element by element."""
from __future__ import annotations

import numpy as np

from chainrule.core.type import Array

from .elementwise import elementwise


@elementwise(1, 1, tex="{0} + {1}", infix="+")
def add(a: Array, b: Array) -> Array:
    """Sum of two arrays."""
    return np.add(a, b)


@elementwise(1, -1, tex="{0} - {1}", infix="-")
def subtract(a: Array, b: Array) -> Array:
    """Difference of two arrays."""
    return np.subtract(a, b)


@elementwise(lambda y, a, b: b, lambda y, a, b: a, tex="{0} {1}", infix="*")
def multiply(a: Array, b: Array) -> Array:
    """Product of two arrays, element by element."""
    return np.multiply(a, b)


@elementwise(lambda y, a, b: 1 / b, lambda y, a, b: -y / b, domain=((-3.0, 3.0), (0.5, 3.0)),
             tex=r"\frac{{{0}}}{{{1}}}", infix="/")
def divide(a: Array, b: Array) -> Array:
    """Quotient of two arrays, element by element; integers give floats."""
    return np.divide(a, b)


@elementwise(-1, tex="-{0}")
def negative(x: Array) -> Array:
    """The opposite number."""
    return np.negative(x)
