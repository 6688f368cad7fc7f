"""A place is where an index points: a letter, a sum of multiples of letters, a part of it, or what an array of indices holds."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .symbols import Spelled, Symbol


@dataclass(frozen=True)
class Letter:
    """An index that runs from 0 to `size` - 1."""

    sign: str
    size: int


Points = Mapping[Any, Any]  # the values of letters, and arrays by name


@dataclass(frozen=True)
class Place:
    """The sum of letters times whole numbers, and a number."""

    terms: tuple[tuple[int, Letter], ...] = ()
    constant: int = 0

    def said(self) -> Spelled:
        parts = [(n, x.sign) for n, x in self.terms] + ([(self.constant, "")] if self.constant or not self.terms else [])
        text, tex = ("".join(f"{'-' if n < 0 else '+'}{multiple(abs(n), sign, x)}" for n, sign in parts) for x in ("*", ""))
        return text.removeprefix("+"), tex.removeprefix("+")

    def value(self, points: Points) -> Any:
        total = self.constant
        for n, x in self.terms:
            total = total + n * points[x]
        return np.asarray(total)

    def __add__(self, other: Place) -> Place:
        terms = dict.fromkeys((x for _, x in (*self.terms, *other.terms)), 0)
        for n, x in (*self.terms, *other.terms):
            terms[x] += n
        return Place(tuple((n, x) for x, n in terms.items() if n), self.constant + other.constant)

    def __mul__(self, n: int) -> Place:
        return Place(tuple((n * m, x) for m, x in self.terms), n * self.constant)

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the largest value."""
        ends = [sorted((0, n * (x.size - 1))) for n, x in self.terms]
        return self.constant + sum(low for low, _ in ends), self.constant + sum(high for _, high in ends)


def multiple(n: int, sign: str, times: str) -> str:
    return str(n) if not sign else sign if n == 1 else f"{n}{times}{sign}"


@dataclass(frozen=True)
class Part:
    """A place divided by a number: the whole part, or what is left."""

    of: Anywhere
    by: int
    left: bool

    def said(self) -> Spelled:
        text, tex = (said if said.isalnum() else f"({said})" for said in self.of.said())
        return (f"{text}%{self.by}", rf"{tex} \bmod {self.by}") if self.left else (
            f"{text}//{self.by}", rf"\lfloor {tex} / {self.by} \rfloor")

    def value(self, points: Points) -> Any:
        whole = self.of.value(points)
        return whole % self.by if self.left else whole // self.by


@dataclass(frozen=True)
class Looked:
    """A place that an array of indices holds; negative ones count from the end of an axis of `size`."""

    symbol: Symbol
    places: tuple[Anywhere, ...]
    size: int

    def said(self) -> Spelled:
        return self.symbol.entry([p.said() for p in self.places])

    def value(self, points: Points) -> Any:
        found = np.asarray(points[self.symbol.name])[tuple(p.value(points) for p in self.places)]
        return np.where(found < 0, found + self.size, found)


Anywhere = Place | Part | Looked


def moved(place: Anywhere, name: Callable[[Any], Any]) -> Anywhere:
    """The place with its symbols replaced."""
    if isinstance(place, Part):
        return replace(place, of=moved(place.of, name))
    if isinstance(place, Looked):
        return replace(place, symbol=name(place.symbol), places=tuple(moved(p, name) for p in place.places))
    return place


def at(x: Letter) -> Place:
    return Place(((1, x),))


def divided(place: Anywhere, by: int) -> Anywhere:
    """The whole part of a place divided by `by`, without a division where one sees what it is."""
    if by == 1:
        return place
    if isinstance(place, Place):
        even, rest = split(place, by)
        if rest.bounds[0] >= 0 and rest.bounds[1] < by:
            return Place(tuple((n // by, x) for n, x in even.terms), even.constant // by)
    return Part(place, by, left=False)


def remainder(place: Anywhere, by: int) -> Anywhere:
    """What a place leaves when it is divided by `by`."""
    if isinstance(place, Place):
        _, rest = split(place, by)
        if rest.bounds[0] >= 0 and rest.bounds[1] < by:
            return rest
    return Part(place, by, left=True)


def split(place: Place, by: int) -> tuple[Place, Place]:
    """The multiples of `by` in a place, and the rest."""
    even = tuple((n, x) for n, x in place.terms if n % by == 0)
    rest = tuple((n, x) for n, x in place.terms if n % by)
    whole = place.constant // by * by
    return Place(even, whole), Place(rest, place.constant - whole)


def joined(places: tuple[Anywhere, ...], sizes: tuple[int, ...]) -> Anywhere:
    """The place among all elements, counted row by row."""
    if len(places) == 1:
        return places[0]
    total = Place()
    for place, size in zip(places, sizes):
        if size == 1:
            continue
        if not isinstance(place, Place):
            raise Unsaid(f"a place such as {place.said()[0]} in a change of shape")
        total = total * size + place
    return total


class Unsaid(Exception):
    """What has no writing with indices."""
