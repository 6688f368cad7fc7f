"""Exponentials: e^x and its kin, from one reduction: x = n log 2 + r with |r| <= log 2 / 2, so e^x = 2^n e^r.

The polynomials q with e^r = 1 + r + r^2 q(r) are the ones of least relative error (Remez' algorithm): 3e-9 in float32 and
4e-18 in float64.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import llvmlite.ir as ir

from .functions import defined
from .number import Number

LOG2_E = 1.4426950408889634


@dataclass(frozen=True)
class Kind:
    """What the reduction needs in one floating type: log 2 in two parts, q from its highest coefficient on, the bits of a
    number, and the arguments beyond which e^x is infinite or 0, tanh is 1, and e^x - 1 is -1."""

    high: float
    low: float
    q: Sequence[float]
    mantissa: int
    bias: int
    largest: float
    smallest: float
    flat: float


KINDS = {
    32: Kind(0.693359375, -2.12194440e-4,
             (1.38145069891e-3, 8.36878048502e-3, 4.16683935805e-2, 0.166665201077, 0.499999934144),
             23, 127, 89.0, -104.0, 10.0),
    64: Kind(0.6931471803691238, 1.9082149292705877e-10,
             (2.499995785414412902e-8, 2.7630378661921186116e-7, 2.7557587364301523571e-6, 2.4801492762627989133e-5,
              1.9841269504742987594e-4, 1.3888888943922881568e-3, 8.3333333334956324896e-3, 4.1666666666529187153e-2,
              0.16666666666666410226, 0.50000000000000107213),
             52, 1023, 710.0, -746.0, 20.0),
}


def polynomial(x: Number, coefficients: Sequence[float]) -> Number:
    """Horner's scheme, from the highest coefficient on."""
    value = x.constant(coefficients[0])
    for c in coefficients[1:]:
        value = value.fma(x, c)
    return value


def clamped(x: Number, low: float, high: float) -> Number:
    """x between two numbers; NaN stays."""
    x = (x > high).where(high, x)
    return (x < low).where(low, x)


def power_of_two(n: Number) -> Number:
    """2^n for a whole number of the float's size, where that is a normal float."""
    kind = KINDS[n.width]
    return ((n + kind.bias) << kind.mantissa).bits()


def scaled(x: Number, n: Number) -> Number:
    """x * 2^n, in two steps, so that results beyond the normal floats are rounded and not lost."""
    half = n >> 1
    return x * power_of_two(half) * power_of_two(n - half)


def reduced(x: Number) -> tuple[Number, Number]:
    """n as a whole number, and r."""
    kind = KINDS[x.width]
    n = (x * LOG2_E).call("rint")
    r = n.fma(-kind.low, n.fma(-kind.high, x))
    return n.to(ir.IntType(x.width)), r


def core(r: Number) -> Number:
    """e^r - 1 for small r."""
    return (r * r).fma(polynomial(r, KINDS[r.width].q), r)


def exp_body(x: Number) -> Number:
    kind = KINDS[x.width]
    n, r = reduced(clamped(x, kind.smallest, kind.largest))
    return scaled(core(r) + 1, n)


def exp2_body(x: Number) -> Number:
    kind = KINDS[x.width]
    x = clamped(x, kind.smallest * LOG2_E, kind.largest * LOG2_E)
    n = x.call("rint")
    return scaled(core((x - n) * (1 / LOG2_E)) + 1, n.to(ir.IntType(x.width)))


def expm1_body(x: Number) -> Number:
    """2^n e^r - 1 = 2 (2^(n-1) (e^r - 1) + 2^(n-1) - 1/2): half of it is finite up to where it is infinite."""
    kind = KINDS[x.width]
    n, r = reduced(clamped(x, -2 * kind.flat, kind.largest))
    power = power_of_two(n - 1)
    value = core(r).fma(power, power - 0.5)
    return x.equals(0).where(x, value + value)  # -0 stays


def tanh_body(x: Number) -> Number:
    """(e^2|x| - 1) / (e^2|x| + 1), with the sign of x."""
    twice = x.call("fabs") * 2
    n, r = reduced((twice > 2 * KINDS[x.width].flat).where(2 * KINDS[x.width].flat, twice))
    power = power_of_two(n)
    less_one = core(r).fma(power, power - 1)
    return (less_one / (less_one + 2)).call("copysign", x)


def cosh_body(x: Number) -> Number:
    """Half of e^|x|, which is finite as long as the result is, and a quarter of its reciprocal."""
    kind = KINDS[x.width]
    n, r = reduced(clamped(x.call("fabs"), 0, kind.largest + 1))
    half = scaled(core(r) + 1, n - 1)
    return half + 0.25 / half


def sinh_body(x: Number) -> Number:
    """With h = (e^|x| - 1) / 2: h + h / (2 h + 1), with the sign of x; h alone where the rest does not count."""
    kind = KINDS[x.width]
    size = clamped(x.call("fabs"), 0, kind.largest + 1)
    n, r = reduced(size)
    small, power = core(r), power_of_two(n - 1)
    h = small.fma(power, power - 0.5)
    value = (size > kind.flat).where(scaled(small + 1, n - 1), h + h / (h + h + 1))
    return value.call("copysign", x)


def sigmoid_body(x: Number) -> Number:
    """1 / (1 + e^-x); for negative x as e^x / (1 + e^x), which keeps all digits."""
    e = exp(-x.call("fabs"))
    return (x < 0).where(e, 1) / (e + 1)


def exp(x: Number) -> Number:
    return defined(f"chainrule.exp.{x.width}.{x.lanes}", [x], exp_body)


BODIES = {"exp": exp_body, "exp2": exp2_body, "expm1": expm1_body, "tanh": tanh_body, "cosh": cosh_body,
          "sinh": sinh_body, "sigmoid": sigmoid_body}
