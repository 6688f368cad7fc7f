"""A line is verified when its formulas, evaluated with NumPy from the values of the facts, come to the recorded array."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.type import is_float
from chainrule.errors import RuleError

from ...formulas.formula import Call, Formula, Name, Number
from ...formulas.writing import Drawn, plain_number, text
from ...record.facts import Facts

Known = Mapping[Any, Any]  # arrays by name; places by letter
Valued = tuple[Any, Callable[[], Any]]  # a value, and, worked out when asked, how large the terms were that it is the sum of
EXACT, SINGLE = 1e-9, 1e-4  # how far formula and array may differ, beside the largest term: in float64, with float32 on the way


class DerivationError(RuleError):
    """A line of a derivation that does not hold: its formula and the recorded array differ."""


class Evaluated(Drawn):
    """A formula that says itself how it is evaluated, and what it is when names are replaced."""

    def evaluate(self, known: Known) -> Valued:
        raise NotImplementedError

    def mapped(self, name: Callable[[Name], Formula]) -> Formula:
        raise NotImplementedError

    def retold(self, told: Callable[[Formula], Formula]) -> Formula:
        """The same with its parts told in another way."""
        return self


def tolerance(e: Facts) -> float:
    """How exactly formulas and recorded arrays agree: the least precise dtype of the record decides."""
    dtypes = {np.asarray(part).dtype for n in e.nodes for part in (n.value if isinstance(n.value, tuple) else (n.value,))}
    return EXACT if all(np.finfo(d).precision > 10 for d in dtypes if is_float(d)) else SINGLE


def evaluate(formula: Formula, known: Known) -> Valued:
    """What a formula comes to, and the size of the terms behind it: a sum that cancels is known as exactly as its terms."""
    with under(NUMPY), np.errstate(all="ignore"):
        return valued(formula, known)


def valued(formula: Formula, known: Known) -> Valued:
    if isinstance(formula, Evaluated):
        return formula.evaluate(known)
    if isinstance(formula, Name):
        return plainly(known[formula.name])
    if isinstance(formula, Number):
        value = formula.value
        if formula.shape and np.ndim(value) == 0:
            value = np.broadcast_to(value, formula.shape)
        return plainly(value)
    assert isinstance(formula, Call)
    args = [plainly(None) if a is None else valued(a, known) for a in formula.args]
    if formula.prim.name in LINEAR:  # a condition that is added up counts as 1 or 0
        args = [(np.asarray(a, np.float64) if np.asarray(a).dtype.kind == "b" else a, s) for a, s in args]
    value = formula.prim.forward(*(a for a, _ in args), **formula.params)
    return value, lambda: terms_of(formula, value, [s for _, s in args])


def plainly(value: Any) -> Valued:
    """A value that is the sum of nothing else."""
    return value, lambda: size(value)


def size(value: Any) -> Any:
    """How large numbers are; indices stay what they are."""
    if isinstance(value, tuple) or value is None:
        return None
    array = np.asarray(value)
    return array if array.dtype.kind in "iu" else np.abs(np.asarray(array, np.float64))


LINEAR = frozenset({
    "matmul", "chain_matmul", "linear", "sum", "mean", "permute_dims", "reshape", "broadcast_to", "part", "embed", "get_at",
    "add_at", "convolution", "transposed_convolution", "kernel_convolution", "average_windows", "average_spread", "concat",
    "stack", "multiply", "chain", "add", "vecdot", "einsum", "chain_einsum"})
"""Operations that the sizes of terms go through as the terms themselves do."""


def terms_of(formula: Call, value: Any, sizes: list[Callable[[], Any]]) -> Any:
    """How large the terms of a result are, of which it is the sum."""
    name = formula.prim.name
    if name in ("subtract", "negative"):
        return np.add(*(s() for s in sizes)) if name == "subtract" else sizes[0]()
    return formula.prim.forward(*(s() for s in sizes), **formula.params) if name in LINEAR else size(value)


def agree(found: Any, terms: Callable[[], Any], stored: Any, most: float) -> bool:
    """Whether two arrays are equal but for rounding. Where the stored one is not finite, there is nothing to compare."""
    a, b = np.asarray(found, np.float64), np.asarray(stored, np.float64)
    if a.shape != b.shape and a.shape:
        return False
    a = np.broadcast_to(a, b.shape)
    if not b.size:
        return True
    where = np.isfinite(b)
    apart = np.max(np.abs(a[where] - b[where]), initial=0.0)
    if apart <= most * finite_largest(b):
        return True
    with under(NUMPY), np.errstate(all="ignore"):
        return bool(apart <= most * finite_largest(terms()))


def finite(x: Any) -> bool:
    return bool(np.isfinite(np.asarray(x, np.float64)).all())


def finite_largest(x: Any) -> float:
    array = np.asarray(x, np.float64)
    return float(np.max(array[np.isfinite(array)], initial=0.0)) if array.size else 0.0


def holds(formula: Formula, stored: Any, known: Known, most: float) -> bool:
    """Whether a formula comes to what is stored, with all its digits; one that cannot be evaluated does not."""
    try:
        return agree(evaluate(formula, known)[0], lambda: 0.0, stored, most)
    except Exception:  # a formula in other words may be outside what an operation accepts; then the engine's own words stay
        return False


def must_hold(left: Formula, formula: Formula, stored: Any, known: Known, most: float) -> None:
    """Raise the error for a line that does not hold."""
    said = f"derivation: the line {text(left)} = {text(formula):.200} does not hold"
    try:
        found, terms = evaluate(formula, known)
    except Exception as error:
        raise DerivationError(f"{said}: it cannot be evaluated: {error}. {REPORT}") from error
    if not agree(found, terms, stored, most):
        raise DerivationError(f"{said}: {differing(found, stored)}. {REPORT}")


REPORT = "The rule or its writing is wrong; please report it, with the program."


def differing(found: Any, stored: Any) -> str:
    if np.shape(found) != np.shape(stored):
        return f"it has the shape {np.shape(found)}, the array {np.shape(stored)}"
    apart = np.abs(np.asarray(found, np.float64) - np.asarray(stored, np.float64))
    index = np.unravel_index(int(np.nanargmax(apart)), apart.shape) if np.isfinite(apart).any() else (0,) * apart.ndim
    at = f" at {[int(i) for i in index]}" if index else ""
    comes, has = (plain_number(np.asarray(x)[index]) for x in (found, stored))
    return f"the formula comes to {comes}{at}, the recorded array has {has}"


