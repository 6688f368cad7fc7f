"""A row of the table says how an operation on single numbers is written in add, multiply and max gates.

An operation without a row stays one gate, unless it has parts: see `parts.py`. What changes nothing (+ 0, × 1) is left out, and
what is multiplied by 0 is gone: such numbers come from masks and frames.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.core.primitive import Primitive
from chainrule.ops.arithmetic import add, multiply
from chainrule.ops.power import pow, reciprocal, sqrt

from . import alphabet
from .wires import Number, Wire, flows, is_plain, number

MOST_FACTORS = 8
"""A power up to this one is a product; a higher one is a gate of its own."""
SHORTER = {-1: reciprocal, 0.5: sqrt}


# ---------------------------------------------------------------------------------------- sums and products
def added(pen: Any, a: Number, b: Number) -> Number:
    return b if is_plain(a, 0) else a if is_plain(b, 0) else pen.gate(add, a, b)


def times(pen: Any, a: Number, b: Number) -> Number:
    if is_plain(a, 0) or is_plain(b, 0):
        return 0.0
    return b if is_plain(a, 1) else a if is_plain(b, 1) else pen.gate(multiply, a, b)


def opposite(pen: Any, x: Number) -> Number:
    if isinstance(x, Wire) and x.constant:
        return pen.constant(-x.value, f"(-{x.name})", x.home)
    return pen.gate(multiply, -1.0, x)


def less(pen: Any, a: Number, b: Number) -> Number:
    return added(pen, a, opposite(pen, b))


def inverse(pen: Any, x: Number) -> Number:
    made = pen.gate(reciprocal, x)
    return pen.constant(made, f"(1/{x.name})", x.home) if isinstance(x, Wire) and x.constant else made


def over(pen: Any, a: Number, b: Number) -> Number:
    return times(pen, a, inverse(pen, b))


def power(pen: Any, a: Number, b: Number) -> Number:
    """A whole power is a product of squares; the exponents -1 and 1/2 have gates of their own."""
    if flows(b):
        return pen.opened(pow, a, b)
    exponent = number(b)
    if exponent in SHORTER:
        return pen.gate(SHORTER[exponent], a)
    return product(pen, a, int(exponent)) if exponent in range(1, MOST_FACTORS + 1) else pen.gate(pow, a, b)


def product(pen: Any, a: Number, factors: int) -> Number:
    if factors == 1:
        return a
    half = product(pen, a, factors // 2)
    square = times(pen, half, half)
    return times(pen, square, a) if factors % 2 else square


def total(pen: Any, numbers: Sequence[Number]) -> Number:
    """A sum of many, two at a time, so that no number has a long way to go."""
    row = list(numbers) or [0.0]
    while len(row) > 1:
        row = [added(pen, *row[k:k + 2]) if k + 1 < len(row) else row[k] for k in range(0, len(row), 2)]
    return row[0]


def average(pen: Any, numbers: Sequence[Number]) -> Number:
    return over(pen, total(pen, numbers), float(len(numbers)))


# ---------------------------------------------------------------------------------------- the greater and the lesser
def choice(gate: Primitive) -> Callable[..., Number]:
    """One of two numbers; of equal ones the first gets the share `tie` of the gradient."""
    def of(pen: Any, a: Number, b: Number, tie: float = 0.5) -> Number:
        return pen.gate(gate, a, b, tie=tie if number(a) == number(b) else None)
    return of


def known(choose: Callable[..., Number]) -> Callable[..., Number]:
    """The same, where a NaN counts as missing."""
    def of(pen: Any, a: Number, b: Number) -> Number:
        return b if math.isnan(number(a)) else a if math.isnan(number(b)) else choose(pen, a, b)
    return of


def best(choose: Callable[..., Number], *, shared: bool) -> Callable[..., Number]:
    """One of many, two at a time, where equal ones share the gradient alike, or else the first of them gets it."""
    def of(pen: Any, numbers: Sequence[Number]) -> Number:
        chosen, equals = numbers[0], 1
        for a in numbers[1:]:
            before = number(chosen)
            chosen = choose(pen, chosen, a, equals / (equals + 1) if shared else 1.0)
            equals = equals + 1 if number(a) == before else equals if number(chosen) == before else 1
        return chosen
    return of


greater_of, lesser_of = choice(alphabet.maximum), choice(alphabet.minimum)


def bounded(pen: Any, x: Number, low: Number, high: Number, tie: float = 1.0) -> Number:
    raised = x if low is None else greater_of(pen, x, low, tie)
    return raised if high is None else lesser_of(pen, raised, high, tie)


ROWS: dict[str, Callable[..., Number]] = {
    "add": added, "subtract": less, "multiply": times, "divide": over,
    "positive": lambda pen, x: x, "negative": opposite, "reciprocal": inverse,
    "square": lambda pen, x: times(pen, x, x), "pow": power,
    "deg2rad": lambda pen, x: times(pen, x, math.pi / 180), "rad2deg": lambda pen, x: times(pen, x, 180 / math.pi),
    "abs": lambda pen, x: greater_of(pen, x, opposite(pen, x)),
    "maximum": greater_of, "minimum": lesser_of, "fmax": known(greater_of), "fmin": known(lesser_of), "clip": bounded,
    "relu": lambda pen, x: greater_of(pen, x, 0.0, 0.0), "relu6": lambda pen, x: bounded(pen, x, 0.0, 6.0, 0.0),
    "hardtanh": lambda pen, x, min_val, max_val: bounded(pen, x, min_val, max_val, 0.0),
}
"""By the name of the operation: `(pen, *arguments, **options) -> number`, where `pen.gate` draws a gate."""
