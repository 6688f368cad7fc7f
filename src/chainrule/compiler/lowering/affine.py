"""An affine index is a place along one axis, as a sum of loop dimensions times whole numbers; movements carry it backwards."""
from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from chainrule.core.type import Shape

Sizes = Mapping[int, int]
"""How many rounds each dimension, named by a number, has."""


class Affine(NamedTuple):
    """`offset`, plus each dimension's round times its coefficient; terms are sorted, and none is 0."""

    offset: int = 0
    terms: tuple[tuple[int, int], ...] = ()

    def scaled(self, factor: int) -> Affine:
        return Affine(self.offset * factor, tuple((d, c * factor) for d, c in self.terms) if factor else ())

    def shifted(self, by: int) -> Affine:
        return Affine(self.offset + by, self.terms)

    def plus(self, other: Affine) -> Affine:
        total = dict(self.terms)
        for d, c in other.terms:
            total[d] = total.get(d, 0) + c
        return Affine(self.offset + other.offset, tuple(sorted((d, c) for d, c in total.items() if c)))

    def replaced(self, dim: int, by: Affine) -> Affine:
        """The same place where a dimension's round is itself an affine index."""
        factor = dict(self.terms).get(dim)
        if factor is None:
            return self
        rest = Affine(self.offset, tuple((d, c) for d, c in self.terms if d != dim))
        return rest.plus(by.scaled(factor))

    def bounds(self, sizes: Sizes) -> tuple[int, int]:
        """The least and the greatest place there is."""
        low = self.offset + sum(min(c, 0) * (sizes[d] - 1) for d, c in self.terms)
        high = self.offset + sum(max(c, 0) * (sizes[d] - 1) for d, c in self.terms)
        return low, high

    def fills(self, size: int, sizes: Sizes) -> bool:
        """Whether each place along an axis of this size is met exactly once."""
        reached = 1
        for c, n in sorted((abs(c), sizes[d]) for d, c in self.terms):
            if c != reached:
                return False
            reached *= n
        return reached == size and self.bounds(sizes)[0] == 0


Place = tuple[Affine, ...]
"""An affine index for each axis of an array."""
ZERO = Affine()


class NeedsSplit(Exception):
    """A movement cuts the rounds of dimension `dim` into an outer loop and an inner one of size `inner`."""

    def __init__(self, dim: int, inner: int) -> None:
        super().__init__(dim, inner)
        self.dim, self.inner = dim, inner


class NotAffine(Exception):
    """A movement asks for places that no affine index describes."""


def strides_of(shape: Shape) -> Shape:
    """The strides, in elements, of a contiguous array."""
    return tuple(prod(shape[i + 1:]) for i in range(len(shape)))


def flat(place: Place, strides: Shape) -> Affine:
    """The one index that a place has in memory with these strides."""
    total = ZERO
    for index, stride in zip(place, strides):
        total = total.plus(index.scaled(stride))
    return total


def along_axis(rest: Affine, stride: int, size: int, sizes: Sizes) -> tuple[Affine, Affine]:
    """Divide a flat index by an axis's stride: the index along the axis, and what is left for the axes inside it."""
    whole, left = [], []
    for d, c in rest.terms:
        if c % stride == 0:
            whole.append((d, c // stride))
            continue
        reach = abs(c) * sizes[d]
        if abs(c) > stride or reach > stride:
            if abs(c) < stride and stride % abs(c) == 0 and sizes[d] % (stride // abs(c)) == 0:
                raise NeedsSplit(d, stride // abs(c))
            raise NotAffine
        left.append((d, c))
    low = Affine(rest.offset, tuple(left)).bounds(sizes)[0]
    start = low // stride
    index, remainder = Affine(start, tuple(whole)), Affine(rest.offset - start * stride, tuple(left))
    if remainder.bounds(sizes)[1] >= stride or not 0 <= index.bounds(sizes)[0] <= index.bounds(sizes)[1] < size:
        raise NotAffine
    return index, remainder


def reshaped(place: Place, old: Shape, new: Shape, sizes: Sizes) -> Place:
    """A place in an array of shape `old` as a place in the same elements of shape `new`.

    Raises NeedsSplit where a dimension crosses the border between two axes, NotAffine where no splitting helps.
    """
    if old == new:
        return place
    if 0 in new:
        return (ZERO,) * len(new)  # nobody will ever be there
    rest = flat(place, strides_of(old))
    found = []
    for size, stride in zip(new, strides_of(new)):
        if size == 1:
            found.append(ZERO)
            continue
        index, rest = along_axis(rest, stride, size, sizes)
        found.append(index)
    if rest != ZERO:
        raise NotAffine
    return tuple(found)
