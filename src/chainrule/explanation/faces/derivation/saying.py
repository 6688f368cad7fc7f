"""A saying tells one element of a formula with indices: which letters are in use, and by which table operations are told."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np

from chainrule.core.type import Type
from chainrule.ops import ALL

from ...formulas.formula import Call, Formula, Number, number, plain, staged
from .index_places import Anywhere, Letter, Looked, Place, Unsaid, at, joined
from .indexed import Element, Entry, Position, Total
from .pulled import Pulled, PulledElement
from .rewriting import mapped
from .steps import LongSum, StepSum
from .symbols import Symbol

LETTERS = "ijklmnpqrsuvwac"
Places = tuple[Anywhere, ...]
ELEMENTWISE = frozenset(p.name for p in ALL if p.slopes is not None) | {"where", "chain", "cast", "astype", "stop_gradient"}


def call(prim: Any, *args: Formula | None, **params: Any) -> Call:
    return Call((), prim, args, params)


@dataclass(frozen=True)
class Saying:
    """The letters that are in use around a formula; `taken` are those that values are called by. `table` says for an operation
    what one element of its result is, in elements of its arguments. `known` are arrays by name, for what depends on them."""

    table: Mapping[str, Callable[[Saying, Call, Places], Formula]]
    taken: frozenset[str]
    used: tuple[str, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)

    def letters(self, sizes: Sequence[int]) -> tuple[list[Letter], Saying]:
        """New letters, and the saying inside of them."""
        free = (x for x in names() if x not in self.taken and x not in self.used)
        found = [Letter(next(free), n) for n in sizes]
        return found, replace(self, used=(*self.used, *(x.sign for x in found)))

    def of(self, formula: Formula | None, places: Places) -> Formula:
        """The element of a formula at some places. Raises Unsaid."""
        if formula is None:
            raise Unsaid("an argument that is not there")
        if isinstance(formula, Symbol):
            return Entry((), formula, places) if places else formula
        if isinstance(formula, Number):
            return self.of_number(formula, places)
        if isinstance(formula, Pulled):
            return PulledElement((), formula, places)
        if isinstance(formula, (StepSum, LongSum)):
            return formula.retold(lambda term: self.of(term, places))
        if not isinstance(formula, Call):
            raise Unsaid(type(formula).__name__)
        if formula.prim.name in ELEMENTWISE:
            args = tuple(a and self.of(a, aligned(places, formula.shape, a.shape)) for a in formula.args)
            return replace(formula, shape=(), args=args)
        say = self.table.get(formula.prim.name)
        if say is not None:
            return say(self, formula, places)
        if formula.prim.body is not None:
            return self.of(opened(formula), places)
        raise Unsaid(formula.prim.name)

    def whole(self, formula: Formula, places: Places) -> Formula:
        """The element of a formula; where it has no writing with indices, that of what it comes to."""
        try:
            return self.of(formula, places)
        except Unsaid:
            return Element((), formula, places)

    def of_number(self, formula: Number, places: Places) -> Formula:
        value = np.asarray(formula.value)
        if plain(formula) or (value.size and np.all(value == value.flat[0])):
            return number(value.flat[0])
        if value.ndim == 1 and np.array_equal(value, np.arange(value.size)):
            return Position((), places[0])
        raise Unsaid("an array without a name")

    def total(self, sizes: Sequence[int], body: Callable[..., Formula], sign: str = "sum") -> Formula:
        """The sum over new letters of what `body` says of them."""
        letters, inner = self.letters(sizes)
        return over(body(inner, *map(at, letters)), letters, sign)

    def along(self, formulas: Sequence[tuple[Formula | None, int]]) -> tuple[Place, tuple[Letter, ...], Saying]:
        """New letters along an axis that formulas share: several where one of them has joined axes into this one."""
        sizes = next((found for f, axis in formulas if (found := axes_joined(f, axis))), None)
        if sizes is None:
            sizes = next((f.shape[axis],) for f, axis in formulas if f is not None)
        letters, inner = self.letters([n for n in sizes if n > 1])
        place = joined(tuple(map(at, letters)), tuple(n for n in sizes if n > 1)) if letters else Place()
        assert isinstance(place, Place)
        return place, tuple(letters), inner


def over(body: Formula, letters: Sequence[Letter], sign: str = "sum") -> Formula:
    """The sum over letters, if there are any."""
    return Total((), sign, body, tuple(letters)) if letters else body


def names() -> Iterator[str]:
    """The letters of the alphabet that serve as indices, then the same with primes."""
    return (x + "'" * primes for primes in count() for x in LETTERS)


def aligned(places: Places, shape: tuple[int, ...], own: tuple[int, ...]) -> Places:
    """Where an argument is looked up that is broadcast to a shape."""
    last = places[len(places) - len(own):]
    return tuple(Place() if n == 1 and m != 1 else p for p, n, m in zip(last, own, shape[len(shape) - len(own):]))


def axes_joined(formula: Formula | None, axis: int) -> tuple[int, ...] | None:
    """The sizes of the axes that a reshape has joined into one."""
    if isinstance(formula, Call) and formula.prim.name == "permute_dims":
        return axes_joined(formula.args[0], formula.params["axes"][axis])
    if isinstance(formula, Call) and formula.prim.name in ("softmax", "softmax_cross_entropy"):
        return axes_joined(formula.args[0], axis)
    if not isinstance(formula, Call) or formula.prim.name != "reshape" or formula.args[0] is None:
        return None
    group = next((g for g in groups(formula.args[0].shape, formula.shape) if axis in g[1]), None)
    return tuple(formula.args[0].shape[k] for k in group[0]) if group and len(group[1]) == 1 < len(group[0]) else None


def opened(formula: Call) -> Formula:
    """A gate in smaller operations."""
    args = {f"x{k}": a for k, a in enumerate(formula.args) if a is not None}
    types = {name: Type(a.shape, np.dtype(float)) for name, a in args.items()}
    body = formula.prim.body
    if body is None or len(args) < len(formula.args):
        raise Unsaid(formula.prim.name)
    found = staged(lambda *xs: body(*xs, **formula.params), types)
    if found is None:
        raise Unsaid(formula.prim.name)
    return mapped(found, lambda x: args[x.name])


def groups(old: tuple[int, ...], new: tuple[int, ...]) -> Iterator[tuple[list[int], list[int]]]:
    """The axes of one shape, and those of another, that hold the same elements in the same order."""
    i = j = 0
    while i < len(old) or j < len(new):
        here, there = [i] if i < len(old) else [], [j] if j < len(new) else []
        i, j = i + len(here), j + len(there)
        while (a := int(np.prod([old[k] for k in here]))) != (b := int(np.prod([new[k] for k in there]))):
            if a < b:
                here.append(i)
                i += 1
            else:
                there.append(j)
                j += 1
        yield here, there


def label_at(y: Formula, places: Places, size: int) -> Anywhere:
    """The place that an array of whole numbers holds."""
    if isinstance(y, Symbol):
        return Looked(y, places, size)
    if plain(y):
        return Place((), int(y.value) % size)
    raise Unsaid("indices that are computed")
