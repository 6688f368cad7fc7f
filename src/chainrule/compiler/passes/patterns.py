"""A row of the table of simplifications: a pattern, what takes its place, and on what condition.

A pattern is written as the call it finds: `made(negative, made(negative, "x"))`. A string is a variable, which stands for any
value, and for the same one wherever it occurs; `number(0)` is an array all of whose elements are that number, and `number("c")`
one all of whose elements are equal, to the number c. Options are bound to variables by their names.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Protocol

from chainrule.core.primitive import Primitive
from chainrule.core.stage import Line, Symbol
from chainrule.core.type import Array
from chainrule.ops import ALL

OPERATIONS = {prim.name: prim for prim in ALL}
COMMUTATIVE = frozenset(OPERATIONS[name] for name in (
    "add", "multiply", "maximum", "minimum", "chain", "logical_and", "logical_or"))
Bound = dict[str, Any]


class Known(Protocol):
    """What a pattern asks about the values of a graph."""

    made: dict[Symbol, Line]

    def number(self, value: Array) -> Any:
        """The number that all elements are equal to, or None."""


@dataclass(frozen=True)
class Number:
    """An array of one number over and over: a given one, or any, bound to a name."""

    wanted: float | str


@dataclass(frozen=True)
class Made:
    """The result of an operation on what the patterns `args` find; `params` maps options to variables."""

    prim: Primitive
    args: tuple[Pattern, ...]
    params: tuple[tuple[str, str], ...] = ()


Pattern = Made | Number | str


def number(wanted: float | str) -> Number:
    return Number(wanted)


def made(operation: str, *args: Pattern, **params: str) -> Made:
    """The pattern of a call of the operation with this name."""
    return Made(OPERATIONS[operation], args, tuple(params.items()))


@dataclass(frozen=True)
class Row:
    """Where `pattern` is found and `when` holds of its variables, `instead` says in the engine's words what takes its place.

    `instead` may return None: then nothing does. It also is refused where its type is not that of what it replaces; only a
    shape that broadcasts to it is mended.
    """

    pattern: Made
    instead: Callable[..., Array]
    when: Callable[..., bool] | None = None
    orders: tuple[Made, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", tuple(exchanged(self.pattern)))

    @property
    def prims(self) -> Iterable[Primitive]:
        return (self.pattern.prim,)

    def __call__(self, line: Line, known: Known) -> Array:
        for pattern in self.orders:
            bound: Bound = {}
            if fits(pattern, line, known, bound) and (self.when is None or self.when(**bound)):
                return self.instead(**bound)
        return None


@dataclass(frozen=True)
class Rule:
    """A simplification of many operations at once: `instead(line, known)` gives what takes the line's place, or None."""

    prims: tuple[Primitive, ...]
    instead: Callable[[Line, Any], Array]

    def __call__(self, line: Line, known: Known) -> Array:
        return self.instead(line, known)


def exchanged(pattern: Pattern) -> Iterator[Any]:
    """The pattern with the arguments of its commutative operations in every order."""
    if not isinstance(pattern, Made):
        yield pattern
        return
    for args in product(*map(list, map(exchanged, pattern.args))):
        yield Made(pattern.prim, args, pattern.params)
        if pattern.prim in COMMUTATIVE and args[0] != args[1]:
            yield Made(pattern.prim, args[::-1], pattern.params)


def fits(pattern: Made, line: Line, known: Known, bound: Bound) -> bool:
    """Whether a line is what the pattern describes; variables are bound on the way."""
    if line.prim is not pattern.prim or len(line.args) != len(pattern.args):
        return False
    for part, value in zip(pattern.args, line.args):
        if type(part) is str:
            if part not in bound:
                bound[part] = value
            elif bound[part] is not value:
                return False
        elif type(part) is Made:
            source = known.made.get(value) if isinstance(value, Symbol) else None
            if source is None or source.prim is not part.prim or settles(source) or not fits(part, source, known, bound):
                return False
        elif not is_number(part, value, known, bound):
            return False
    for option, name in pattern.params:
        bound[name] = line.params[option]
    return True


def settles(line: Line) -> bool:
    """Whether the line makes a value of definite dtype from a weak one, which elsewhere would take another dtype."""
    return not line.targets[0].type.weak and any(isinstance(a, Symbol) and a.type.weak for a in line.args)


def is_number(part: Number, value: Array, known: Known, bound: Bound) -> bool:
    found = known.number(value)
    if found is None:
        return False
    if type(part.wanted) is str:
        bound[part.wanted] = found
        return True
    return bool(found == part.wanted)
