"""The accuracy of a slope is its distance from the true derivative, in units in the last place of the result's dtype."""
from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

import chainrule as cr
from chainrule.core.primitive import Primitive
from chainrule.ops import ALL
from references import REFERENCES, Reference

BAR = 8.0  # ulp
BITS = 240  # precision of the reference: more than four times that of float64
DTYPES = (np.float32, np.float64)

SECOND = "a second derivative: it is made of first ones, which may overflow, underflow or cancel before it does"
DENORMAL = "where the exponential is denormal and so has few digits, it is multiplied by x"
TANH_FORM = "with approximate='tanh' a cubic is rounded, and then in an exponent; the exact form is off only where it is denormal"
EXCEPTIONS: dict[tuple[str, int | str], tuple[float, str]] = {
    ("divide", 1): (4e7, "the quotient of a denormal number by one below 1 has few digits, and is divided again"),
    ("base_slope", 0): (inf, SECOND), ("base_slope", 1): (inf, SECOND),
    ("exponent_slope", 0): (inf, SECOND), ("exponent_slope", 1): (inf, SECOND),
    ("leg", 0): (inf, SECOND), ("leg", 1): (inf, SECOND), ("turn", 0): (inf, SECOND), ("turn", 1): (inf, SECOND),
    ("gaussian", 0): (64.0, DENORMAL),
    ("sinc", 0): (inf, "crosses zero between any two whole numbers but the first, where sine and cosine cancel"),
    ("spherical_bessel", 0): (inf, SECOND),
    ("spherical_bessel", "value"): (inf, "crosses zero, where sine and cosine cancel"),
    ("logaddexp", "value"): (inf, "crosses zero, where the larger argument and the rest cancel (NumPy's own)"),
    ("softplus", 0): (512.0, "beta times x is rounded (unless beta is a power of 2), and then in an exponent"),
    ("softplus", "value"): (512.0, "beta times x is rounded (unless beta is a power of 2), and then in an exponent"),
    ("celu", 0): (512.0, "x divided by alpha is rounded (unless alpha is a power of 2), and then in an exponent"),
    ("silu", 0): (512.0, DENORMAL), ("silu", "value"): (512.0, DENORMAL),
    ("mish", 0): (512.0, DENORMAL), ("mish", "value"): (512.0, DENORMAL),
    ("gelu", 0): (512.0, TANH_FORM), ("gelu", "value"): (512.0, TANH_FORM),
    ("gelu_slope", "value"): (inf, "crosses zero, where its two terms cancel"), ("gelu_slope", 0): (512.0, DENORMAL),
    ("sigmoid_cross_entropy", 0): (inf, "crosses zero where the prediction p equals the target y, and p - y cancels"),
    ("bernoulli_cross_entropy", 1): (inf, "crosses zero at a chance of one half, where two logarithms cancel"),
}
"""The slopes (by argument) and values that may be off by more than the bar: by how much, and why."""


class Worst(NamedTuple):
    """The largest error among the points looked at, in ulp, and the arguments where it is."""

    error: float
    at: tuple[float, ...]
    points: int


class Row(NamedTuple):
    """What was measured of one operation in one dtype: of its value, and of its slope in each argument (None: no slope)."""

    prim: Primitive
    reference: Reference
    dtype: type
    value: Worst
    slopes: tuple[Worst | None, ...]


def measurable() -> list[Primitive]:
    """Every operation that declares the slope of at least one argument."""
    return [prim for prim in ALL if prim.slopes and any(s is not None for s in prim.slopes)]


def rows(prim: Primitive, dtype: type, count: int) -> Iterator[Row]:
    """The measurement of an operation, one row for each set of options its references name."""
    for reference in REFERENCES[prim.name]:
        args = points(reference, dtype, count)
        with np.errstate(all="ignore"):
            y, pullback = cr.vjp(lambda *args, reference=reference: prim(*args, **reference.params), *args)
            gradients = pullback(np.ones_like(y))
        slopes = tuple(None if exact is None else worst(g, exact, args, dtype, reference.zeros)
                       for g, exact in zip(gradients, reference.slopes))
        yield Row(prim, reference, dtype, worst(y, reference.value, args, dtype), slopes)


# ---------------------------------------------------------------------------------------- where to look
def points(reference: Reference, dtype: type, count: int) -> tuple[np.ndarray, ...]:
    """About `count` points in the reference's domain, as one array for each argument: everywhere, and where it hurts."""
    rng = np.random.default_rng(0)
    lines = [line(dtype, count, rng, reference.near) for _ in reference.slopes]
    for other in lines[1:]:
        rng.shuffle(other)
    if len(lines) == 2:
        first, second = lines
        with np.errstate(all="ignore"):
            near = first * (1 + rng.normal(size=first.shape) * rng.choice([1e-1, 1e-4, 1e-7], first.shape))
            lines = [first, np.where(rng.random(first.shape) < 0.25, near, second).astype(dtype)]
    inside = np.ones(lines[0].shape, bool)
    for x, (low, high) in zip(lines, reference.domain):
        inside &= np.isfinite(x) & (x >= low) & (x <= high) & ~(np.signbit(x) & (low == 0))  # sqrt(-0.0) has slope -inf
    return tuple(x[inside] for x in lines)


def line(dtype: type, count: int, rng: np.random.Generator, near: tuple[float, ...]) -> np.ndarray:
    """Numbers of every size and both signs; dense around 0, 1, and the points named."""
    info = np.finfo(dtype)
    low, high = np.log2(info.smallest_subnormal), np.log2(info.max)
    part = max(count // 8, 4)
    sizes = np.exp2(rng.uniform(low, high, 2 * part))
    denormal = rng.integers(1, 1 << 20, part // 4) * np.float64(info.smallest_subnormal)
    middle = np.concatenate([rng.uniform(-width, width, part) for width in (1.0, 4.0, 20.0, -low)])
    close = np.concatenate([c + rng.choice([-1, 1], part // 2) * np.exp2(rng.uniform(np.log2(info.eps), 0, part // 2))
                            for c in (1.0, -1.0, *near)])
    special = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 10.0, info.max, info.tiny, info.smallest_subnormal, *near])
    signed = np.concatenate([sizes * rng.choice([-1, 1], sizes.shape), denormal, -denormal, middle, close, special, -special])
    with np.errstate(all="ignore"):
        line: np.ndarray = signed.astype(dtype)
    return line[np.isfinite(line)]


# ---------------------------------------------------------------------------------------- how far off
def worst(found: np.ndarray, exact: Any, args: tuple[np.ndarray, ...], dtype: type, zeros: tuple[float, ...] = ()) -> Worst:
    """The largest error of `found` against the function `exact`, over the points where that is a real number."""
    error, at, seen = 0.0, tuple(float(x[0]) for x in args), 0
    with mp.workprec(BITS):
        for value, *where in zip(found.tolist(), *(x.tolist() for x in args)):
            true = real(exact, where)
            if true is None:
                continue
            seen += 1
            e = ulps(value, true, dtype, 1.0 if any(abs(where[0] - zero) < 0.25 for zero in zeros) else 0.0)
            if e > error:
                error, at = e, tuple(where)
    return Worst(error, at, seen)


def real(exact: Any, where: list[float]) -> Any:
    """The true value, or None where there is none: a pole, a kink, a place outside the domain."""
    try:
        true = mp.mpf(exact(*map(mp.mpf, where)))
    except (ValueError, ZeroDivisionError, TypeError):
        return None
    return None if mp.isnan(true) else true


def ulps(value: float, true: Any, dtype: type, least: float = 0.0) -> float:
    """The distance of `value` from `true` in units in the last place of `true`, or of `least` where that is larger.

    Infinity counts as the number after the largest: to overflow where the true value does is no error. Below the smallest
    normal number the unit is the distance between denormals.
    """
    info = np.finfo(dtype)
    if value != value:
        return inf
    top = mp.ldexp(1, int(info.maxexp))
    true, value = (max(-top, min(top, mp.mpf(v))) for v in (true, value))
    size = max(abs(true), least)
    exponent = mp.frexp(size)[1] if size else info.minexp
    unit = max(exponent, info.minexp + 1) - info.nmant - 1
    return float(mp.ldexp(abs(value - true), -int(unit)))


def allowed(prim: Primitive, part: int | str) -> float:
    """How far off a slope (by argument) or the value may be."""
    return EXCEPTIONS.get((prim.name, part), (BAR, ""))[0]
