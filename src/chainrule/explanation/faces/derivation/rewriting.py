"""A rewriting says the same as a rule of the engine in the words of a lecturer: without guards that do nothing on these values.

The engine's rules are written for their digits, and for inputs of all kinds. Each row here gives a shorter formula with the same
value, or None; a line is verified after it was rewritten, and stays as the rule says it where the rewriting has lost digits.
"""
from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.core.type import Type
from chainrule.ops import abs, concat, exp, log, sigmoid, sqrt, square
from chainrule.ops.arithmetic import divide
from chainrule.ops.cross_entropy import one_hot

from ...formulas.formula import Call, Formula, Name, Number, is_number, number, plain, simplified, staged
from .verified import Evaluated, Known, evaluate

Row = Callable[[Call, Known], Formula | None]

EQUIVALENT: dict[str, Callable[..., Any]] = {
    "tanh": lambda y, x: 1 - y**2,
    "sigmoid": lambda y, x: y * (1 - y),
    "silu": lambda y, x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    "atan": lambda y, x: 1 / (1 + x**2),
    "asin": lambda y, x: 1 / sqrt(1 - x**2),
    "acos": lambda y, x: -1 / sqrt(1 - x**2),
    "atanh": lambda y, x: 1 / (1 - x**2),
    "asinh": lambda y, x: 1 / sqrt(1 + x**2),
    "acosh": lambda y, x: 1 / sqrt(x**2 - 1),
    "softsign": lambda y, x: 1 / square(1 + abs(x)),
    "exp2": lambda y, x: y * log(2.0),
    "logsumexp": lambda y, x: exp(x - y),
}
"""How a lecturer writes the slope of an operation, by the result y and the argument x, where the engine's way has more digits."""


@lru_cache(maxsize=256)
def equivalent(operation: str, y: Type, x: Type) -> Formula | None:
    """The slope of an operation in the names y and x."""
    return staged(EQUIVALENT[operation], {"y": y, "x": x}) if operation in EQUIVALENT else None


# ---------------------------------------------------------------------------------------- walking through formulas
def mapped(formula: Formula, name: Callable[[Name], Formula]) -> Formula:
    """The formula with its names replaced, and nothing simplified."""
    if isinstance(formula, Evaluated):
        return formula.mapped(name)
    if isinstance(formula, Name):
        return name(formula)
    return replace(formula, args=tuple(a and mapped(a, name) for a in formula.args)) if isinstance(formula, Call) else formula


def names_in(formula: Formula | None) -> list[Name]:
    found: list[Name] = []
    if formula is not None:
        mapped(formula, lambda n: found.append(n) or n)
    return found


def rewritten(formula: Formula, known: Known) -> Formula:
    """The formula without what a lecturer leaves out, from its leaves up."""
    if not isinstance(formula, Call):
        return formula
    made = simplified(replace(formula, args=tuple(a and rewritten(a, known) for a in formula.args)))
    for row in ROWS.get(made.prim.name, ()) if isinstance(made, Call) else ():
        shorter = row(made, known) if isinstance(made, Call) else None
        if shorter is not None:
            made = simplified(shorter) if isinstance(shorter, Call) else shorter
    return made


def value_of(formula: Formula, known: Known) -> Any:
    """What a part of a formula comes to; None where gradients take part that are not known yet."""
    try:
        return np.asarray(evaluate(formula, known)[0])
    except KeyError:
        return None


# ---------------------------------------------------------------------------------------- rows
def none_ignored(call: Call, known: Known) -> Formula | None:
    """Labels of which none is to be ignored."""
    labels, ignored = call.args
    if not isinstance(ignored, Number) or labels is None:
        return None
    value = value_of(labels, known)
    if value is None or value.dtype.kind not in "iu" or np.any(value == ignored.value):
        return None
    return Number(call.shape, 1)


def marked(call: Call, known: Known) -> Formula | None:
    """Labels in a column, compared with all classes, are one-hot rows."""
    column, classes = call.args
    if not isinstance(column, Call) or column.prim.name != "reshape" or not isinstance(classes, Number):
        return None
    labels, numbers = column.args[0], np.asarray(classes.value)
    if labels is None or column.shape != (*labels.shape, 1) or not np.array_equal(numbers, np.arange(numbers.size)):
        return None
    value = value_of(labels, known)
    if value is None or value.dtype.kind not in "iu" or np.any((value < 0) | (value >= numbers.size)):
        return None
    return Call(call.shape, one_hot, (labels,), {"num_classes": numbers.size, "dtype": np.dtype(np.int64)})


def sums_to_one(call: Call, known: Known) -> Formula | None:
    """A factor that is the sum of probabilities."""
    one, total = call.args
    if one is None or not isinstance(total, Call) or total.prim.name != "sum" or one.shape != call.shape:
        return None
    value = value_of(total, known)
    return one if value is not None and np.allclose(value, 1, rtol=1e-6, atol=0) else None


def number_without_shape(call: Call, known: Known) -> Formula | None:
    """A number repeated to the shape of its partner is that number; of two numbers, their product is written."""
    if all(map(plain, call.args)):
        return Number(call.shape, call.prim.forward(*(a.value for a in call.args if plain(a))))
    bare = tuple(unrepeated(a) for a in call.args)
    shapes = [a.shape for a in bare if a is not None]
    return replace(call, args=bare) if bare != call.args and call.shape in shapes else None


def unrepeated(a: Formula | None) -> Formula | None:
    if plain(a) and a.shape:
        return Number((), a.value)
    if isinstance(a, Call) and a.prim.name in ("broadcast_to", "reshape"):
        inner = unrepeated(a.args[0])
        return inner if inner is not None and inner.shape == () else a
    return a


def guard(call: Call, known: Known) -> Formula | None:
    """A choice made for the case that something is 0, which it is not."""
    condition, _, usual = call.args
    if not isinstance(condition, Call) or condition.prim.name != "equal" or not is_number(condition.args[1], 0):
        return None
    value = value_of(condition, known)
    return usual if value is not None and not value.any() and usual is not None and usual.shape == call.shape else None


FAR = 1000.0  # bounds beyond are there for the digits of extreme numbers


def bound(call: Call, known: Known) -> Formula | None:
    """A bound that is far away from all values."""
    x, low, high = call.args
    if x is None or not (plain(low) and plain(high)) or not (low.value <= -FAR and high.value >= FAR):
        return None
    value = value_of(x, known)
    return x if value is not None and np.all((value > low.value) & (value < high.value)) else None


def twice(name: str, option: str) -> Row:
    """A movement of a movement is one movement, or none."""
    def row(call: Call, known: Known) -> Formula | None:
        inner = call.args[0]
        if name == "permute_dims" and call.params[option] == tuple(range(len(call.shape))):
            return inner
        if not isinstance(inner, Call) or inner.prim.name != name or inner.args[0] is None:
            return None
        x = inner.args[0]
        if name == "permute_dims":
            axes = tuple(inner.params[option][a] for a in call.params[option])
            return x if axes == tuple(range(len(axes))) else replace(call, args=(x,), params={option: axes})
        return x if x.shape == call.shape else replace(call, args=(x,))
    return row


def tiled(call: Call, known: Known) -> Formula | None:
    """Parts put side by side by adding arrays that are 0 elsewhere."""
    terms = list(summands(call))
    if len(terms) < 2 or not all(isinstance(t, Call) and t.prim.name == "embed" for t in terms):
        return None
    keys = [t.params["key"] for t in terms if isinstance(t, Call)]
    for axis in range(len(call.shape)):
        cuts = [interval(key, axis, call.shape) for key in keys]
        order = sorted(range(len(cuts)), key=lambda k: cuts[k] or (0, 0))
        edges = [0, *(cuts[k][1] for k in order if cuts[k])]
        if None not in cuts and [cuts[k][0] for k in order] == edges[:-1] and edges[-1] == call.shape[axis]:
            return Call(call.shape, concat, tuple(terms[k].args[0] for k in order), {"axis": axis})
    return None


def summands(formula: Formula | None) -> list[Formula]:
    """The terms of a sum, in their order."""
    if isinstance(formula, Call) and formula.prim.name == "add":
        return [t for a in formula.args for t in summands(a)]
    return [] if formula is None else [formula]


def interval(key: Any, axis: int, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """From where to where a key goes along one axis, if it takes all of the others."""
    entries = [*key, *[slice(None)] * (len(shape) - len(key))]
    if not all(isinstance(k, slice) for k in entries) or len(entries) != len(shape):
        return None
    bounds = [k.indices(n) for k, n in zip(entries, shape)]
    whole = all(b == (0, n, 1) for i, (b, n) in enumerate(zip(bounds, shape)) if i != axis)
    return bounds[axis][:2] if whole and bounds[axis][2] == 1 else None


ROWS: dict[str, tuple[Row, ...]] = {
    "not_equal": (none_ignored,), "equal": (marked,), "where": (guard,), "clip": (bound,), "add": (tiled,),
    "multiply": (sums_to_one, number_without_shape), "chain": (sums_to_one, number_without_shape),
    "permute_dims": (twice("permute_dims", "axes"),), "reshape": (twice("reshape", "shape"),),
}


def fractions(formula: Formula, counts: Set[int], typed: Set[float]) -> Formula:
    """The formula with 1/32 for 0.03125, where something was divided by 32; numbers that people typed stay."""
    if plain(formula) and float(formula.value) not in typed:
        found = next((f for f in (as_fraction(formula.value, n) for n in counts) if f), None)
        top, bottom = (number(n) for n in found.as_integer_ratio()) if found else (None, None)
        return Call(formula.shape, divide, (top and replace(top, shape=formula.shape), bottom), {}) if found else formula
    if not isinstance(formula, Call):
        return formula
    return replace(formula, args=tuple(a and fractions(a, counts, typed) for a in formula.args))


def as_fraction(value: Any, parts: int) -> Fraction | None:
    """The number as a fraction with this many parts, or fewer; None if it is whole, or no such fraction."""
    x = float(value)
    if not np.isfinite(x) or x == int(x):
        return None
    whole = round(x * parts)
    return Fraction(whole, parts) if 0 < abs(whole) <= 100 and abs(x * parts - whole) <= 1e-6 * abs(whole) else None
