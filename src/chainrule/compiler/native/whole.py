"""Whole numbers wrap around; they divide as NumPy's do: rounded down, and 0 where the divisor is 0."""
from __future__ import annotations

from collections.abc import Callable

import llvmlite.ir as ir

from .functions import defined
from .number import Number


def maximum(a: Number, b: Number) -> Number:
    return (a > b).where(a, b)


def minimum(a: Number, b: Number) -> Number:
    return (a < b).where(a, b)


def magnitude(x: Number) -> Number:
    return x if x.unsigned else (x < 0).where(-x, x)


def sign(x: Number) -> Number:
    positive = (x > 0).where(x.constant(1), 0)
    return positive if x.unsigned else (x < 0).where(-1, positive)


def divided(a: Number, b: Number) -> tuple[Number, Number]:
    """Quotient rounded down, and the rest; both are 0 for a divisor of 0. The processor must never see a divisor of 0, nor the
    least number divided by -1: it would stop the program."""
    zero = b.equals(0)
    if a.unsigned:
        quotient = a / zero.where(1, b)
        return zero.where(0, quotient), zero.where(0, a - quotient * b)
    opposite = b.equals(-1)
    quotient = a / (zero | opposite).where(1, b)
    rest = a - quotient * b
    below = rest.differs(0) & ((rest < 0) ^ (b < 0))
    quotient, rest = below.where(quotient - 1, quotient), below.where(rest + b, rest)
    return zero.where(0, opposite.where(-a, quotient)), (zero | opposite).where(0, rest)


def reciprocal(x: Number) -> Number:
    one = x.equals(1).where(x.constant(1), 0)
    return one if x.unsigned else x.equals(-1).where(-1, one)


def shifted_left(a: Number, b: Number) -> Number:
    inside = Number(b.builder, b.value, unsigned=True) < a.width
    return inside.where(a << inside.where(b, 0), 0)


def shifted_right(a: Number, b: Number) -> Number:
    inside = Number(b.builder, b.value, unsigned=True) < a.width
    return a >> inside.where(b, a.width - 1) if not a.unsigned else inside.where(a >> inside.where(b, 0), 0)


def power(a: Number, b: Number) -> Number:
    """Repeated squaring, as many rounds as an exponent has bits; a negative exponent gives 0, but for the powers of 1 and -1."""
    name = f"chainrule.pow.{'u' if a.unsigned else 'i'}{a.width}.{a.lanes}"

    def body(base: Number, exponent: Number) -> Number:
        builder, before = base.builder, base.builder.block
        loop, after = (builder.function.append_basic_block(n) for n in ("squaring", "done"))
        one = base.constant(1)
        builder.branch(loop)
        builder.position_at_end(loop)
        result, square, rest, count = (builder.phi(t) for t in (base.value.type,) * 3 + (ir.IntType(32),))
        for phi, first in ((result, one.value), (square, base.value), (rest, exponent.value), (count, ir.IntType(32)(0))):
            phi.add_incoming(first, before)
        bit = (base.new(rest) & 1).differs(0)
        raised = bit.where(base.new(result) * base.new(square), base.new(result))
        squared = base.new(square) * base.new(square)
        less = Number(builder, rest, unsigned=True) >> 1
        following = builder.add(count, ir.IntType(32)(1))
        for phi, value in ((result, raised.value), (square, squared.value), (rest, less.value), (count, following)):
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_unsigned("<", following, ir.IntType(32)(base.width)), loop, after)
        builder.position_at_end(after)
        if base.unsigned:
            return raised
        odd = (exponent & 1).differs(0)
        sign = base.equals(-1).where(odd.where(base, one), base.equals(1).where(one, 0))
        return (exponent < 0).where(sign, raised)

    return defined(name, [a, b], body)


OPERATIONS: dict[str, Callable[..., Number]] = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b, "negative": lambda x: -x,
    "floor_divide": lambda a, b: divided(a, b)[0], "remainder": lambda a, b: divided(a, b)[1], "abs": magnitude, "sign": sign,
    "minimum": minimum, "maximum": maximum, "fmin": minimum, "fmax": maximum, "square": lambda x: x * x,
    "reciprocal": reciprocal, "pow": power, "floor": lambda x: x, "ceil": lambda x: x, "round": lambda x: x, "trunc": lambda x: x,
    "fma": lambda a, b, c: a * b + c, "bitwise_and": lambda a, b: a & b, "bitwise_or": lambda a, b: a | b,
    "bitwise_xor": lambda a, b: a ^ b, "bitwise_invert": lambda x: ~x, "bitwise_left_shift": shifted_left,
    "bitwise_right_shift": shifted_right, "isnan": lambda x: x.differs(x), "isinf": lambda x: x.differs(x),
    "isfinite": lambda x: x.equals(x), "signbit": lambda x: x < 0,
}
