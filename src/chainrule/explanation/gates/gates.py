"""Gates are what a loss is made of when every value is one number: add, multiply, max and copy, and functions such as exp."""
from __future__ import annotations

from collections import Counter

from chainrule.errors import ArgumentError

from ..record.record import Record
from .laying import Live, laid, live
from .scalars import drawn
from .verifying import verify

AHEAD = 50
"""How many times as many gates may be made before those without influence are taken away: who indexes a result uses few."""


def gates(record: Record, *, most: int = 2_000) -> Record:
    """The record of the same loss in gates on single numbers: the same number, and the same gradient in every element.

    An element of an array is called `W[0,1]`, and a number on the way to it `W[0,1]_1`; `inside` says to which value of `record`
    a gate belongs. Everything made of sums, products and choices is add, multiply and max (or min) gates: `a - b` is
    `a + -1 * b`, `a / b` is `a * reciprocal(b)`, `relu(x)` is `max(x, 0)`. Functions made of nothing smaller, such as exp and
    tanh, are gates, too. A value used more than once goes through one copy gate, and gradients meet only there; constants are
    not copied. Moving numbers about needs no gate, and what changes nothing (+ 0, × 1) has none, nor has what a mask takes away.

    Everything is computed in float64. An operation on single numbers stays one gate where its parts come to another slope or
    value, as at some kinks and far out. What a condition chose stays chosen.

    Raises ArgumentError where more than `most` gates are needed, for operations that are worked out as a whole (sort, svd,
    solve), and where a hook may change a gradient; RuleError, naming the operation, should a value or a gradient differ.

    >>> import chainrule as cr
    >>> w = cr.tensor(3.0, requires_grad=True, name="w")
    >>> [x.prim for x in gates(cr.explain(w * w - 1.0).record).order]
    [None, copy, multiply, add]
    """
    if not (isinstance(most, int) and most > 0):
        raise ArgumentError(f"gates: most is a whole number from 1, the largest number of gates to draw, not {most!r:.20}.")
    hooked = next((x for x in record.order if x.hooks), None)
    if hooked is not None:
        raise ArgumentError(f"gates: a hook on {record.named[id(hooked)]} may replace its gradient, and no gate does that. "
                            "Remove the hook.")
    scalars = drawn(record, AHEAD * most)
    kept = live(scalars)
    check_count(record, kept, most)
    made = laid(scalars, kept)
    verify(scalars, made)
    return made.record


def check_count(record: Record, kept: Live, most: int) -> None:
    """Raise the error for too many gates, with the number and the values that need most of them."""
    count = len(kept.gates) + len(kept.copied)
    if count > most:
        homes = Counter(record.named[id(gate.home)] for gate in kept.gates)
        where = ", ".join(f"{name} ({n:,})" for name, n in homes.most_common(3))
        raise ArgumentError(f"gates: the loss needs {count:,} gates, and the limit is {most:,}. Most of them are in {where}. "
                            f"Take fewer examples or smaller layers, or allow them with most={count}.")
