"""A choice passes on one of several values; the gradient goes to the one chosen, and exactly zero to the others."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.primitive import Generator, Sample
from chainrule.core.type import Array

from .broadcasting import align, like, unbroadcast
from .comparison import equal, indicator, isfinite, isnan, tied
from .elementwise import elementwise, elementwise_type
from .families import arrays, primitive, several


# ---------------------------------------------------------------------------------------- by a condition
def where_samples(rng: Generator) -> list[Sample]:
    return [Sample((rng.uniform(size=shape) > 0.5, rng.normal(size=(3, 4)), rng.normal(size=(4,)))) for shape in ((3, 4), (3, 1))]


def where_tangent(tangents: list[Array | None], y: Array, condition: Array, a: Array, b: Array) -> Array:
    _, ta, tb = tangents
    return like(where(condition, 0.0 if ta is None else ta, 0.0 if tb is None else tb), y)


@primitive(
    backward=(None, lambda g, y, condition, a, b: unbroadcast(where(condition, g, 0.0), a),
              lambda g, y, condition, a, b: unbroadcast(where(condition, 0.0, g), b)),
    tangent=where_tangent, result=lambda *types: elementwise_type("where", where.forward, *types),
    batch=lambda flags, *args: where(*align(flags, args)), samples=where_samples,
    tex=r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}")
def where(condition: Array, a: Array, b: Array) -> Array:
    """`a` where the condition holds, else `b`; the three broadcast.

    The side not chosen gets a gradient of exactly 0, also behind an infinite slope.

    >>> import chainrule as cr, numpy as np
    >>> with np.errstate(divide="ignore"):  # the logarithm of 0 is taken, and not used
    ...     cr.grad(lambda x: cr.where(x > 0, cr.log(x), 0 * x).sum())(np.array([0.0, 2.0]))
    array([0. , 0.5])
    """
    return np.where(condition, a, b)


# ---------------------------------------------------------------------------------------- by size
@elementwise(None, None, samples=tied((3, 4), (4,)), tex="[{0} > {1}]")
def wins(a: Array, b: Array) -> Array:
    """1 where `a` is greater than `b`, 1/2 where they are equal, else 0: the share of a gradient that goes to the greater."""
    share = np.add(np.greater(a, b), np.greater_equal(a, b), dtype=np.result_type(a, b))
    return share * 0.5


@elementwise(lambda y, a, b: wins(a, b), lambda y, a, b: wins(b, a), tex=r"\max({0}, {1})", native=np.maximum)
def maximum(a: Array, b: Array) -> Array:
    """The greater of two numbers, NaN if one of them is; equal ones share the gradient."""


@elementwise(lambda y, a, b: wins(b, a), lambda y, a, b: wins(a, b), tex=r"\min({0}, {1})", native=np.minimum)
def minimum(a: Array, b: Array) -> Array:
    """The lesser of two numbers, NaN if one of them is; equal ones share the gradient."""


@elementwise(lambda y, a, b: where(isnan(b), 1.0, wins(a, b)), lambda y, a, b: where(isnan(a), 1.0, wins(b, a)),
             tex=r"\max({0}, {1})", native=np.fmax)
def fmax(a: Array, b: Array) -> Array:
    """The greater of two numbers, a NaN counting as missing; equal ones share the gradient."""


@elementwise(lambda y, a, b: where(isnan(b), 1.0, wins(b, a)), lambda y, a, b: where(isnan(a), 1.0, wins(a, b)),
             tex=r"\min({0}, {1})", native=np.fmin)
def fmin(a: Array, b: Array) -> Array:
    """The lesser of two numbers, a NaN counting as missing; equal ones share the gradient."""


# ---------------------------------------------------------------------------------------- by bounds
def within(y: Array, x: Array, low: Array, high: Array) -> Array:
    """The slope of clip in `x`: 1 between the bounds and on them."""
    inside = equal(x, x) if low is None else low <= x
    return indicator(inside if high is None else inside & (x <= high), y)


def at_low(y: Array, x: Array, low: Array, high: Array) -> Array:
    """The slope of clip in its lower bound: 1 where it is the result, and `x` is not on it."""
    return indicator(x < low if high is None else (x < low) & (low <= high), y)


def at_high(y: Array, x: Array, low: Array, high: Array) -> Array:
    """The slope of clip in its upper bound, which wins where the bounds are the wrong way round."""
    return indicator(x > high if low is None else (x > high) | (low > high), y)


@elementwise(
    within, at_low, at_high, prepare=lambda x, min=None, max=None: ((x, min, max), {}),
    samples=several(
        lambda rng: [Sample((rng.uniform(-2, 2, (3, 4)), rng.uniform(-2, -0.5, (4,)), rng.uniform(0.5, 2, (3, 1)))),
                     Sample((rng.uniform(-2, 2, (4,)), None, np.array(0.5)))],
        arrays((3, 4), min=np.array(-1.0))),
    tex=r"\operatorname{{clip}}({0}, {1}, {2})")
def clip(x: Array, min: Array = None, max: Array = None) -> Array:
    """`x` kept between two bounds, either of which may be missing; bounds are numbers or arrays and broadcast.

    The gradient passes to `x` between the bounds and on them, and to a bound where `x` is beyond it. Where `min` exceeds
    `max`, the result is `max`.
    """
    raised = x if min is None else np.maximum(x, min)
    return raised if max is None else np.minimum(raised, max)


def finite_slope(y: Array, x: Array, **replacements: Any) -> Array:
    return indicator(isfinite(x), y)


@elementwise(finite_slope, samples=several(arrays((3, 4)), lambda rng: [
    Sample((np.array([1.0, np.nan, np.inf, -np.inf]),), {"nan": 2.0, "posinf": 3.0}, smooth=False)]))
def nan_to_num(x: Array, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Array:
    """`x` with NaN and the infinities replaced by numbers (by default 0 and the largest there are); those get no gradient."""
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
