"""The circular functions, of angles in radians, and their inverses."""
from __future__ import annotations

import numpy as np

from chainrule.core.type import Array

from .broadcasting import chain
from .elementwise import elementwise, gate
from .power import hypot, pow, sqrt


@elementwise(lambda y, x: cos(x), tex=r"\sin {0}", native=np.sin)
def sin(x: Array) -> Array:
    """Sine of an angle in radians."""


@elementwise(lambda y, x: -sin(x), tex=r"\cos {0}", native=np.cos)
def cos(x: Array) -> Array:
    """Cosine of an angle in radians."""


@elementwise(lambda y, x: 1 + y * y, domain=(-1.3, 1.3), tex=r"\tan {0}", native=np.tan)
def tan(x: Array) -> Array:
    """Tangent of an angle in radians."""


@elementwise(lambda y, x: 1 / sqrt((1 - x) * (1 + x)), domain=(-0.9, 0.9), tex=r"\arcsin {0}", native=np.arcsin)
def asin(x: Array) -> Array:
    """The angle whose sine this is, from -pi/2 to pi/2."""


@elementwise(lambda y, x: -1 / sqrt((1 - x) * (1 + x)), domain=(-0.9, 0.9), tex=r"\arccos {0}", native=np.arccos)
def acos(x: Array) -> Array:
    """The angle whose cosine this is, from 0 to pi."""


def atan_slope(y: Array, x: Array) -> Array:
    """`1 / (1 + x^2)`, divided twice because the square may overflow."""
    length = hypot(1.0, x)
    return 1 / length / length


@elementwise(atan_slope, tex=r"\arctan {0}", native=np.arctan)
def atan(x: Array) -> Array:
    """The angle whose tangent this is, from -pi/2 to pi/2."""


@elementwise(lambda y, a, b: turn(a, b), lambda y, a, b: -turn(b, a), domain=(0.3, 3.0),
             tex=r"\operatorname{{atan2}}({0}, {1})", native=np.arctan2)
def atan2(a: Array, b: Array) -> Array:
    """The angle of the point with height `a` and width `b`, from -pi to pi; both slopes are 0 at `atan2(0, 0)`."""


def turn_values(a: Array, b: Array) -> Array:
    """On the binary digits, and scaled at the end, so that nothing overflows or underflows before the result does."""
    _, exponent = np.frexp(np.maximum(np.abs(a), np.abs(b)))
    square = np.ldexp(a, -exponent) ** 2 + np.ldexp(b, -exponent) ** 2
    digits, size = np.frexp(b)
    return np.ldexp(digits / np.where(square == 0, square.dtype.type(1), square), size - 2 * exponent)


@gate(lambda y, a, b: chain(-2 * y, turn(b, a)), lambda y, a, b: (turn(b, a) - y) * (turn(b, a) + y),
      domain=(0.3, 3.0), tex=r"\frac{{{1}}}{{{0}^2 + {1}^2}}", forward=turn_values)
def turn(a: Array, b: Array) -> Array:
    """`b / (a^2 + b^2)`: how fast a point turns that moves up; 0 at the centre."""
    return b / (pow(a, 2) + pow(b, 2))


@elementwise(np.pi / 180, tex=r"\frac{{\pi}}{{180}} {0}", native=np.deg2rad)
def deg2rad(x: Array) -> Array:
    """Degrees as radians."""


@elementwise(180 / np.pi, tex=r"\frac{{180}}{{\pi}} {0}", native=np.rad2deg)
def rad2deg(x: Array) -> Array:
    """Radians as degrees."""
