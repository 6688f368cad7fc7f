"""Arithmetic: the four operations and their kin, element by element."""
from __future__ import annotations

import math

import numpy as np

from chainrule.core.type import Array

from .elementwise import elementwise


@elementwise(1, 1, tex="{0} + {1}", infix="+", native=np.add)
def add(a: Array, b: Array) -> Array:
    """Sum of two arrays."""


@elementwise(1, -1, tex="{0} - {1}", infix="-", native=np.subtract)
def subtract(a: Array, b: Array) -> Array:
    """Difference of two arrays."""


@elementwise(lambda y, a, b: b, lambda y, a, b: a, tex="{0} {1}", infix="*", native=np.multiply)
def multiply(a: Array, b: Array) -> Array:
    """Product of two arrays, element by element."""


def inverse(y: Array, a: Array, b: Array) -> Array:
    """`1 / b`, which is infinite at 0: Python's own division would raise there."""
    return math.copysign(math.inf, b) if type(b) in (int, float) and b == 0 else 1 / b


@elementwise(inverse, lambda y, a, b: -y / b, domain=((-3.0, 3.0), (0.5, 3.0)),
             tex=r"\frac{{{0}}}{{{1}}}", infix="/", native=np.divide, shortcuts={0: lambda g, y, a, b: g / b})
def divide(a: Array, b: Array) -> Array:
    """Quotient of two arrays, element by element; integers give floats."""


@elementwise(0, 0, domain=((0.1, 0.9), (1.0, 3.0)), tex=r"\lfloor {0} / {1} \rfloor", infix="//", native=np.floor_divide)
def floor_divide(a: Array, b: Array) -> Array:
    """Quotient rounded down: flat between its jumps, so both slopes are 0."""


@elementwise(1, lambda y, a, b: -floor_divide(a, b), domain=((0.1, 0.9), (1.0, 3.0)), tex=r"{0} \bmod {1}", infix="%",
             native=np.remainder)
def remainder(a: Array, b: Array) -> Array:
    """What `floor_divide` leaves over: `a - b * floor(a / b)`, with the sign of `b`."""


@elementwise(-1, tex="-{0}", native=np.negative)
def negative(x: Array) -> Array:
    """The opposite number."""


@elementwise(1, tex="+{0}", native=np.positive)
def positive(x: Array) -> Array:
    """The same number."""


@elementwise(lambda y, x: sign(x), domain=(0.5, 3.0), tex="|{0}|", native=np.abs)
def abs(x: Array) -> Array:
    """The distance from zero; its slope at the kink in 0 is 0."""


@elementwise(0, domain=(0.5, 3.0), tex=r"\operatorname{{sign}} {0}", native=np.sign)
def sign(x: Array) -> Array:
    """-1, 0 or 1: flat but for its jump, so its slope is 0."""


@elementwise(lambda y, a, b: sign(a) * copysign(1.0, b), 0, domain=(0.5, 3.0), tex=r"|{0}| \operatorname{{sign}} {1}",
             native=np.copysign)
def copysign(a: Array, b: Array) -> Array:
    """The magnitude of `a` with the sign of `b`; at `a = 0` the slope is 0, like that of `abs`."""


@elementwise(None, None, tex=r"\operatorname{{nextafter}}({0}, {1})", native=np.nextafter)
def nextafter(a: Array, b: Array) -> Array:
    """The next number after `a` towards `b` that the dtype can hold; no gradient flows through it."""


@elementwise(0, lambda y, x, h: 1.0 - abs(sign(x)), domain=(0.5, 3.0), tex=r"H({0})", native=np.heaviside)
def heaviside(x: Array, h: Array) -> Array:
    """0 where `x` is negative, 1 where it is positive, and `h` where it is 0."""
