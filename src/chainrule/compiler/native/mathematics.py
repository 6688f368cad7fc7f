"""Mathematics: the curves, from exp to atan2, in as many lanes as are asked for.

The common ones are computed here, within about two units in the last place and the same on every processor with a fused
multiply-add; the others by the C library, one lane after the other.
"""
from __future__ import annotations

from collections.abc import Callable

import llvmlite.ir as ir

from . import circular, exponentials, logarithms
from .functions import by_library, defined
from .number import Number

OWN: dict[str, Callable[[Number], Number]] = exponentials.BODIES | logarithms.BODIES | circular.BODIES
ERF_NEAR = (-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1)
ERF_FAR = (-1.72853470e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1)
ERF_BEND = 0.921875


def curve(operation: str, numbers: list[Number]) -> Number:
    """The function of this name (`loops.operations.CURVES`) of floats."""
    x = numbers[0]
    body = OWN.get(operation) or (SINGLE.get(operation) if x.width == 32 else None)
    if body is not None:
        return defined(f"chainrule.{operation}.{x.width}.{x.lanes}", numbers, body)
    return by_library(operation + ("f" if x.width == 32 else ""), *numbers)


def erf(x: Number) -> Number:
    """In float32: near 0 a polynomial in x^2, farther away 1 - e^p(|x|) (the polynomials are Norbert Juffa's)."""
    size = x.call("fabs")
    near = exponentials.polynomial(x * x, ERF_NEAR).fma(x, x)
    far = 1 - exponentials.exp(exponentials.polynomial(size, ERF_FAR).fma(size, -size))
    return (size > ERF_BEND).where(far.call("copysign", x), near)


def power(x: Number, y: Number) -> Number:
    """|x|^y as e^(y log |x|), computed in float64 and rounded; an odd whole power of a negative number is negative."""
    double = ir.DoubleType()
    logarithm = defined_wide("log", x.call("fabs").to(double))
    value = defined_wide("exp", logarithm * y.to(double)).to(ir.FloatType())
    whole = y.call("trunc").equals(y)
    odd = whole & (y * 0.5).call("trunc").differs(y * 0.5)
    negative = x.bits() < 0
    value = (negative & odd).where(-value, value)
    value = ((x < 0) & (x > float("-inf")) & (whole ^ 1)).where(float("nan"), value)
    unit = y.equals(0) | x.equals(1) | (x.equals(-1) & y.call("fabs").equals(float("inf")))
    return unit.where(1, value)


def defined_wide(operation: str, x: Number) -> Number:
    return defined(f"chainrule.{operation}.{x.width}.{x.lanes}", [x], OWN[operation])


def hypot(x: Number, y: Number) -> Number:
    """In float64, where squares of float32 neither overflow nor vanish; infinite if one is, also beside NaN."""
    a, b = x.to(ir.DoubleType()), y.to(ir.DoubleType())
    value = (a * a + b * b).call("sqrt").to(ir.FloatType())
    infinite = x.call("fabs").equals(float("inf")) | y.call("fabs").equals(float("inf"))
    return infinite.where(float("inf"), value)


SINGLE: dict[str, Callable[..., Number]] = {"erf": erf, "pow": power, "hypot": hypot}
