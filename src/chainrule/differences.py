"""A finite difference measures a slope by taking a small step, and says where it cannot be trusted."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Index = tuple[int, ...]
EPSILON = np.finfo(np.float64).eps
STEP = float(np.cbrt(EPSILON))  # balances the curvature a central difference ignores with rounding
LOOKED_AT = 2000  # elements of one array compared one by one


class Slope(NamedTuple):
    """A central difference, how far it may be off, and whether the function has a kink there."""

    value: float
    error: float
    kink: bool


class Comparison(NamedTuple):
    """A gradient beside differences: the worst disagreement, elements without a slope, and the element that is wrong."""

    worst: float = 0.0
    kinks: tuple[Index, ...] = ()
    undefined: tuple[Index, ...] = ()
    wrong: tuple[Index, float, float] | None = None  # element, what the gradient says, what differences say
    found: FloatArray | None = None  # all differences, where every element had to be looked at


def along(f: Callable[[FloatArray], float], x: FloatArray, direction: FloatArray) -> Slope:
    """The slope of `f` at `x` along a direction, from steps of two sizes."""
    with np.errstate(all="ignore"):
        middle = f(x)
        central, jump = [], []
        for size in (STEP, STEP / 2):
            ahead, behind = f(x + size * direction), f(x - size * direction)
            central.append((ahead - behind) / (2 * size))
            jump.append(abs(ahead - 2 * middle + behind) / size)  # of the slope; shrinks with the step where f is smooth
        rounding = 8 * EPSILON * (abs(middle) + 1) / STEP
        kink = jump[1] > 0.75 * jump[0] and jump[1] > 1e-4 * (abs(central[1]) + 1) + 4 * rounding
        return Slope(central[1], 2 * abs(central[0] - central[1]) + rounding, bool(kink))


def compare(f: Callable[[FloatArray], float], x: FloatArray, gradient: FloatArray, rtol: float) -> Comparison:
    """Compare the gradient of `f` at `x` with differences: first along one random direction, then, if they disagree there or
    there may be kinks, element by element."""
    random = np.random.default_rng(0)
    direction = random.normal(size=x.shape) * np.maximum(np.abs(x), 0.1)
    slope, got = along(f, x, direction), float(np.vdot(gradient, direction))
    size = float(np.abs(gradient * direction).sum())
    allowed = rtol * (size + 1)
    trusted = not slope.kink and slope.error <= 99 * allowed
    if trusted and abs(got - slope.value) <= allowed + slope.error:
        return Comparison(worst=abs(got - slope.value) / (size + 1))
    return one_by_one(f, x, gradient, rtol)


def one_by_one(f: Callable[[FloatArray], float], x: FloatArray, gradient: FloatArray, rtol: float) -> Comparison:
    """Each element's slope beside each element of the gradient."""
    scale = float(np.nanmax(np.abs(gradient), initial=0.0, where=np.isfinite(gradient))) + 1.0
    found = np.full(x.shape, np.nan)
    kinks, undefined = [], []
    worst, wrong, excess = 0.0, None, 0.0
    for index in elements(x):
        expected, error, kink = element_slope(f, x, index, trusted=100 * rtol, scale=scale)
        off = abs(float(gradient[index]) - expected)
        if kink:
            kinks.append(index)
        elif not error <= 100 * rtol * (abs(expected) + scale):
            undefined.append(index)
        else:
            found[index] = expected
            worst = max(worst, off / scale)
            if not off <= rtol * scale + error and not off <= excess:
                wrong, excess = (index, float(gradient[index]), expected), off
    return Comparison(worst, tuple(kinks), tuple(undefined), wrong, found)


def element_slope(f: Callable[[FloatArray], float], x: FloatArray, index: Index, *, trusted: float, scale: float) -> Slope:
    """The slope in one element, with smaller steps near zero where larger ones find a kink or too much curvature."""
    size = abs(float(x[index]))
    for step in (max(size, 0.1), size):
        direction = np.zeros_like(x)
        direction[index] = step
        if step:
            value, error, kink = along(f, x, direction)
            slope = Slope(value / step, error / step, kink)
        if not slope.kink and slope.error <= trusted * (abs(slope.value) + scale):
            break
    return slope


def elements(x: FloatArray) -> Iterator[Index]:
    """All indices of a small array, some of a large one."""
    flat = np.arange(x.size)
    if x.size > LOOKED_AT:
        flat = np.sort(np.random.default_rng(0).choice(x.size, LOOKED_AT, replace=False))
    for i in flat:
        yield tuple(int(k) for k in np.unravel_index(i, x.shape))


def likely_cause(got: FloatArray, expected: FloatArray) -> str:
    """What is wrong with a gradient that is not as expected, where that is easily seen."""
    known = np.isfinite(expected) & np.isfinite(got)
    a, b = got[known], expected[known]
    close = np.allclose
    if not np.any(a):
        return "It gives nothing: a term, or the whole rule, is missing."
    if close(a, -b, rtol=1e-4, atol=1e-7):
        return "The sign is wrong."
    if got.ndim == 2 and got.shape[0] == got.shape[1] and close(got, expected.T, rtol=1e-4, atol=1e-7):
        return "It is transposed."
    both = np.abs(a) > 1e-6 * np.abs(a).max()
    ratios = b[both] / a[both]
    if ratios.size > 1 and close(ratios, ratios[0], rtol=1e-4) and close(b[~both], 0, atol=1e-7):
        return f"A factor of {ratios[0]:.4g} is missing."
    return ""
