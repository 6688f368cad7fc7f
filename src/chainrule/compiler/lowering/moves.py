"""A move says which element of its source each element of its result is: a movement that needs no code of its own."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.core.type import Shape
from chainrule.ops.keys import WHOLE

from .affine import ZERO, NotAffine, Place, Sizes, reshaped

Guess = tuple[Any, ...]
"""A place of which some axes may be unknown (None)."""


@dataclass(frozen=True)
class Permute:
    """Axis i of the result is axis `axes[i]` of the source."""

    axes: Shape

    def back(self, place: Place, sizes: Sizes) -> Place:
        found: list[Any] = [None] * len(self.axes)
        for index, axis in zip(place, self.axes):
            found[axis] = index
        return tuple(found)

    def forth(self, place: Guess, sizes: Sizes) -> Guess:
        return tuple(place[axis] for axis in self.axes)

    def source(self, shape: Shape) -> Shape:
        """The shape of the source, from that of the result."""
        return tuple(shape[self.axes.index(axis)] for axis in range(len(shape)))


@dataclass(frozen=True)
class Reshape:
    """The same elements in the same order."""

    old: Shape
    new: Shape

    def back(self, place: Place, sizes: Sizes) -> Place:
        return reshaped(place, self.new, self.old, sizes)

    def forth(self, place: Guess, sizes: Sizes) -> Guess:
        if None not in place:
            return reshaped(place, self.old, self.new, sizes)
        kept = iter([(n, index) for n, index in zip(self.old, place) if n != 1])
        if [n for n in self.old if n != 1] != [n for n in self.new if n != 1]:
            raise NotAffine
        return tuple(ZERO if n == 1 else next(kept)[1] for n in self.new)


@dataclass(frozen=True)
class Broadcast:
    """The source repeated along new axes in front, and along those of size 1."""

    old: Shape
    new: Shape

    def back(self, place: Place, sizes: Sizes) -> Place:
        lead = len(self.new) - len(self.old)
        return tuple(ZERO if n == 1 else index for n, index in zip(self.old, place[lead:]))

    def forth(self, place: Guess, sizes: Sizes) -> Guess:
        lead = len(self.new) - len(self.old)
        spread = [ZERO if m == 1 else None if n == 1 else index for n, m, index in zip(self.old, self.new[lead:], place)]
        return (*(ZERO if m == 1 else None for m in self.new[:lead]), *spread)


@dataclass(frozen=True)
class Slice:
    """For each axis of the source, where to begin, how far to step, and which axis of the result it is (None: none)."""

    starts: Shape
    steps: Shape
    targets: tuple[int | None, ...]
    old: Shape
    new: Shape

    def back(self, place: Place, sizes: Sizes) -> Place:
        return tuple(ZERO.shifted(start) if axis is None else place[axis].scaled(step).shifted(start)
                     for start, step, axis in zip(self.starts, self.steps, self.targets))

    def forth(self, place: Guess, sizes: Sizes) -> Guess:
        whole = all(axis is not None and start == 0 and step == 1 and self.new[axis] == n for start, step, axis, n in zip(
            self.starts, self.steps, self.targets, self.old))
        if not whole:
            raise NotAffine
        found: list[Any] = [ZERO] * len(self.new)
        for axis, index in zip(self.targets, place):
            assert axis is not None
            found[axis] = index
        return tuple(found)


@dataclass(frozen=True)
class Diagonal:
    """Axis i of the source runs along axis `letters[i]` of the result; two that run together are a diagonal."""

    letters: Shape

    def back(self, place: Place, sizes: Sizes) -> Place:
        return tuple(place[i] for i in self.letters)

    def forth(self, place: Guess, sizes: Sizes) -> Guess:
        raise NotAffine


Move = Permute | Reshape | Broadcast | Slice | Diagonal


def sliced(old: Shape, key: tuple[Any, ...]) -> Slice:
    """The move of `x[key]`, for a key of integers, slices, None and Ellipsis."""
    used = len([e for e in key if e is not None and e is not Ellipsis])
    at = next((i for i, e in enumerate(key) if e is Ellipsis), len(key))
    entries = (*key[:at], *[WHOLE] * (len(old) - used), *key[at + 1:])
    starts, steps, targets, new = [], [], [], []
    axes = iter(old)
    for entry in entries:
        if entry is None:
            new.append(1)
            continue
        n = next(axes)
        if not isinstance(entry, slice):
            starts.append(int(entry) % n if n else 0)
            steps.append(1)
            targets.append(None)
            continue
        places = range(n)[entry]
        starts.append(places.start if len(places) else 0)
        steps.append(places.step)
        targets.append(len(new))
        new.append(len(places))
    return Slice(tuple(starts), tuple(steps), tuple(targets), old, tuple(new))
