"""A formula is an operation on formulas, a name or a number: what a rule says, read off by running it on symbols."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import numpy as np

from chainrule.core.interpreter import Interpreter, under
from chainrule.core.primitive import Primitive
from chainrule.core.stage import Graph, Symbol, stage
from chainrule.core.type import Array, Shape, Type, typeof
from chainrule.ops.arithmetic import multiply, negative, subtract
from chainrule.ops.exponential import share
from chainrule.ops.power import base_slope, exponent_slope, leg
from chainrule.ops.special import gaussian
from chainrule.ops.trigonometric import turn


@dataclass(frozen=True, eq=False)
class Formula:
    """Base of the three kinds. `shape` is that of the value it stands for."""

    shape: Shape

    def put(self, known: Mapping[str, Formula]) -> Formula:
        """The same formula with names replaced."""
        return self

    @property
    def size(self) -> int:
        """How many operations it is made of."""
        return 0


@dataclass(frozen=True, eq=False)
class Name(Formula):
    """A value called by its name. `bar` marks the gradient of the loss in that value."""

    name: str
    bar: str | None = None

    def put(self, known: Mapping[str, Formula]) -> Formula:
        return known.get(self.name, self)


@dataclass(frozen=True, eq=False)
class Number(Formula):
    """A value given as number or array."""

    value: Any


@dataclass(frozen=True, eq=False)
class Call(Formula):
    """An operation applied to formulas."""

    prim: Primitive
    args: tuple[Formula | None, ...]
    params: dict[str, Any]

    def put(self, known: Mapping[str, Formula]) -> Formula:
        return replace(self, args=tuple(a and a.put(known) for a in self.args))

    @property
    def size(self) -> int:
        return 1 + sum(a.size for a in self.args if a is not None)


def number(value: Any) -> Number:
    """A number, an array, or the several outputs of an operation, as a formula."""
    return Number(() if isinstance(value, tuple) else typeof(value).shape, value)


LONGEST = 24  # operations; a formula beyond is not read by anybody


KERNELS = {base_slope, exponent_slope, leg, turn, share, gaussian}
"""Operations that exist for their digits only: a formula says what they compute."""


class Written(Interpreter):
    """Apply a kernel by its body, and all others as ever."""

    __slots__ = ()
    name = "written"

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        return prim.body(*args, **params) if prim in KERNELS and prim.body else self.parent.apply(prim, args, params)


def staged(f: Callable[..., Any], types: Mapping[str, Type]) -> Formula | None:
    """What `f` says, called on one symbol for each named type; None where it needs numbers to say it, or says too much.

    A formula that uses a value twice repeats it, so lengths are watched while it grows.
    """
    def written(*symbols: Array) -> Array:
        with under(Written()):
            return f(*symbols)
    try:
        graph = stage(written, *types.values(), names=list(types))
    except Exception:  # a rule may look at values in any way it likes: then there is no formula, and the number speaks alone
        return None
    return inlined(graph)


def inlined(graph: Graph) -> Formula | None:
    known: dict[Symbol, Formula] = {s: Name(s.shape, s.name) for s in graph.inputs}
    for line in graph.lines:
        if len(line.targets) > 1:
            return None
        args = tuple(None if a is None else known[a] if isinstance(a, Symbol) else number(a) for a in line.args)
        made = simplified(Call(line.targets[0].shape, line.prim, args, line.params))
        if made.size > LONGEST:
            return None
        known[line.targets[0]] = made
    out = graph.output
    if out is None or isinstance(out, tuple):
        return None
    return known[out] if isinstance(out, Symbol) else number(out)


# ---------------------------------------------------------------------------------------- simplification
def is_number(x: Formula | None, value: float) -> bool:
    return plain(x) and bool(x.value == value)


def neutral(value: float) -> Callable[[Call], Formula | None]:
    """The rule that drops a neutral factor or summand, where the shape stays."""
    def drop(call: Call) -> Formula | None:
        for one, other in (call.args, call.args[::-1]):
            if is_number(one, value) and other is not None and other.shape == call.shape:
                return other
        return None
    return drop


def neutral_right(value: float) -> Callable[[Call], Formula | None]:
    return lambda call: call.args[0] if is_number(call.args[1], value) else None


def minus_one(call: Call) -> Formula | None:
    """-1 times x is -x."""
    for one, other in (call.args, call.args[::-1]):
        if is_number(one, -1) and other is not None and other.shape == call.shape and not isinstance(other, Number):
            return Call(call.shape, negative, (other,), {})
    return None


def minus(call: Call) -> Formula | None:
    """a + (-b) is a - b."""
    a, b = call.args
    if isinstance(b, Call) and b.prim is negative and a is not None:
        return Call(call.shape, subtract, (a, b.args[0]), {})
    return None


def gathered(call: Call) -> Formula | None:
    """2 (3 x) is 6 x."""
    for one, other in (call.args, call.args[::-1]):
        if plain(one) and isinstance(other, Call) and other.prim.name in ("multiply", "chain") and other.shape == call.shape:
            inner, rest = other.args if plain(other.args[0]) else other.args[::-1]
            if plain(inner) and rest is not None:
                return simplified(Call(call.shape, multiply, (number(one.value * inner.value), rest), {}))
    return None


def plain(x: Formula | None) -> TypeGuard[Number]:
    return isinstance(x, Number) and np.ndim(x.value) == 0


def passed(call: Call) -> Formula | None:
    return call.args[0]


def passed_if_same_shape(call: Call) -> Formula | None:
    x = call.args[0]
    return x if x is not None and x.shape == call.shape else None


def spread_number(call: Call) -> Formula | None:
    """A number repeated, or put in another shape, is still written as that number."""
    x = call.args[0]
    if plain(x):
        return Number(call.shape, x.value)
    if isinstance(x, Call) and x.prim.name == "reshape" and x.args[0] is not None and x.args[0].shape == ():
        return replace(call, args=x.args)
    return passed_if_same_shape(call)


def is_transpose(x: Formula | None) -> bool:
    return isinstance(x, Call) and x.prim.name == "permute_dims" and x.params["axes"] == (1, 0)


def transposed_twice(call: Call) -> Formula | None:
    """(A^T)^T is A, and (A B)^T is B^T A^T."""
    inner = call.args[0]
    if not is_transpose(call) or not isinstance(inner, Call):
        return None
    if is_transpose(inner):
        return inner.args[0]
    if inner.prim.name == "reshape" and inner.args[0] is not None and len(inner.args[0].shape) == 1 and 1 in inner.shape:
        return Call(call.shape, inner.prim, inner.args, {"shape": call.shape})  # a column transposed is a row
    if inner.prim.infix == "@" and all(a is not None and len(a.shape) == 2 for a in inner.args):
        left, right = (simplified(Call(a.shape[::-1], call.prim, (a,), call.params)) for a in inner.args[::-1] if a is not None)
        return Call(call.shape, inner.prim, (left, right), inner.params)
    return None


def chosen(call: Call) -> Formula | None:
    condition = call.args[0]
    if isinstance(condition, Number) and np.ndim(condition.value) == 0:
        return call.args[1 if condition.value else 2]
    return None


SIMPLER: dict[str, tuple[Callable[[Call], Formula | None], ...]] = {
    "multiply": (neutral(1), minus_one, gathered), "chain": (neutral(1), minus_one, gathered),
    "add": (neutral(0), minus), "divide": (neutral_right(1),),
    "subtract": (neutral_right(0),), "pow": (neutral_right(1),), "cast": (passed,), "astype": (passed,),
    "stop_gradient": (passed,), "permute_dims": (transposed_twice,), "where": (chosen,),
    "broadcast_to": (spread_number,), "reshape": (spread_number,),
}
"""What nobody writes down, by operation: a rule gives the shorter formula, or None."""


def simplified(call: Call) -> Formula:
    """The call without what is trivial: neutral numbers, changes of precision, arithmetic among plain numbers."""
    for rule in SIMPLER.get(call.prim.name, ()):
        shorter = rule(call)
        if shorter is not None:
            return shorter
    if call.shape == () and call.args and all(isinstance(a, Number) and np.ndim(a.value) == 0 for a in call.args):
        values = [np.broadcast_to(a.value, a.shape) if a.shape else a.value for a in call.args if isinstance(a, Number)]
        with np.errstate(all="ignore"):
            return number(call.prim.forward(*values, **call.params))
    return call


def filled(formula: Formula | None, numbers: Mapping[str, Formula]) -> Formula | None:
    """The formula with numbers put in for names, not worked out; but an array to be transposed or reshaped is shown so."""
    if formula is None:
        return None
    if is_transpose(formula) and isinstance(formula, Call):
        inner = filled(formula.args[0], numbers)
        return number(np.transpose(inner.value)) if isinstance(inner, Number) else replace(formula, args=(inner,))
    if isinstance(formula, Call):
        args = tuple(filled(a, numbers) for a in formula.args)
        if formula.prim.name == "reshape" and isinstance(args[0], Number):
            return number(np.reshape(args[0].value, formula.shape))
        return replace(formula, args=args)
    return formula.put(numbers)


def rebuilt(formula: Formula) -> Formula:
    """The formula simplified from its leaves up, after names were replaced."""
    if not isinstance(formula, Call):
        return formula
    return simplified(replace(formula, args=tuple(a and rebuilt(a) for a in formula.args)))
