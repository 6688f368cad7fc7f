"""Logarithms: x = 2^k (1 + f) with 1 + f near 1, and log(1 + f) by a series in s = f / (2 + f), as in FreeBSD's libm (e_log.c).

There, log(1 + f) = f - (f^2/2 - s (f^2/2 + R(s^2))).
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .exponentials import polynomial
from .number import Number


@dataclass(frozen=True)
class Kind:
    """What a logarithm needs in one floating type: R from its highest coefficient on, log 2, log2(e), log10(e) and log10(2) in
    two parts each, the bits of a number, of sqrt(1/2) and of 1, the least normal number and what makes it larger, and the power
    of two in that."""

    series: Sequence[float]
    log_2: tuple[float, float]
    log2_e: tuple[float, float]
    log10_e: tuple[float, float]
    log10_2: tuple[float, float]
    mantissa: int
    root: int
    one: int
    least: float
    lift: int


KINDS = {
    32: Kind((0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693),
             (0.693138122559, 9.05800061445e-6), (1.4428710938, -1.7605285393e-4), (0.43432617188, -3.1689971365e-5),
             (0.30102920532, 7.9034151668e-7), 23, 0x3F3504F3, 0x3F800000, 2.0 ** -126, 25),
    64: Kind((1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01, 2.222219843214978396e-01,
              2.857142874366239149e-01, 3.999999999940941908e-01, 6.666666666666735130e-01),
             (6.93147180369123816490e-01, 1.90821492927058770002e-10),
             (1.44269504072144627571e+00, 1.67517131648865118353e-10),
             (4.34294481878168880939e-01, 2.50829467116452752298e-11),
             (3.01029995663611771306e-01, 3.69423907715893078616e-13), 52, 0x3FE6A09E667F3BCD, 0x3FF0000000000000,
             2.0 ** -1022, 54),
}


def taken_apart(x: Number) -> tuple[Number, Number]:
    """k as a float, and f, of a positive number."""
    kind = KINDS[x.width]
    tiny = x < kind.least
    x = tiny.where(x * 2.0 ** kind.lift, x)
    shifted = x.bits() + (kind.one - kind.root)
    k = (shifted >> kind.mantissa) - (kind.one >> kind.mantissa)
    fraction = (shifted & ((1 << kind.mantissa) - 1)) + kind.root
    k = k - (tiny.where(k.constant(kind.lift), 0))
    return k.to(x.value.type.element if x.lanes > 1 else x.value.type), fraction.bits() - 1


def parts(f: Number) -> tuple[Number, Number]:
    """f^2/2 and s (f^2/2 + R): log(1 + f) is f less the first plus the second."""
    half = f * f * 0.5
    s = f / (f + 2)
    z = s * s
    return half, s * z.fma(polynomial(z, KINDS[f.width].series), half)


def edges(x: Number, value: Number) -> Number:
    """The logarithm where the series does not hold: of 0, of negative numbers, of infinity and of NaN."""
    value = (x < float("inf")).where(value, x)  # infinity and NaN are their own logarithms
    value = x.equals(0).where(float("-inf"), value)
    return (x < 0).where(float("nan"), value)


def log_body(x: Number) -> Number:
    k, f = taken_apart(x)
    half, rest = parts(f)
    high, low = KINDS[x.width].log_2
    return edges(x, k.fma(high, f - (half - k.fma(low, rest))))


def log1p_body(x: Number) -> Number:
    """The logarithm of u = 1 + x, and what rounding left out of u, divided by u."""
    u = x + 1
    missing = (x < 1).where(x - (u - 1), 1 - (u - x)) / u
    k, f = taken_apart(u)
    half, rest = parts(f)
    high, low = KINDS[x.width].log_2
    value = k.fma(high, f - (half - (k.fma(low, rest) + missing)))
    return x.equals(0).where(x, edges(u, value))


def log2_body(x: Number) -> Number:
    k, f = taken_apart(x)
    high, low = split(f)
    a, b = KINDS[x.width].log2_e
    small = high * b + low * (a + b)
    return edges(x, whole_plus(k, high * a, small))


def log10_body(x: Number) -> Number:
    k, f = taken_apart(x)
    high, low = split(f)
    a, b = KINDS[x.width].log10_e
    c, d = KINDS[x.width].log10_2
    small = k.fma(d, high * b + low * (a + b))
    return edges(x, whole_plus(k * c, high * a, small))


def split(f: Number) -> tuple[Number, Number]:
    """log(1 + f) as a short number, whose products with short constants are exact, and the rest."""
    half, rest = parts(f)
    cut = 12 if f.width == 32 else 32
    high = ((f - half).bits() & -(1 << cut)).bits()
    return high, (f - high - half) + rest


def whole_plus(k: Number, product: Number, small: Number) -> Number:
    """k + product + small, where k counts most: what the first sum loses is added."""
    total = k + product
    return total + ((k - total) + product + small)


BODIES = {"log": log_body, "log1p": log1p_body, "log2": log2_body, "log10": log10_body}
