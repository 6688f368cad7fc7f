"""The axes of a contraction, brought to the smallest number that says the same, and sorted by what they do."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from ..loops.language import Axis, Constant, Contraction, Index, Let, Position, Read, Statement, Write


@dataclass(frozen=True)
class Roles:
    """Free axes by which arrays move along them (`rows`: left only, `columns`: right only, `batch`: both or neither), and the
    summed axes, outermost first."""

    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    sums: tuple[Axis, ...]


def roles(axes: tuple[Axis, ...]) -> Roles:
    """Sort the axes; those with the smallest steps come last, because the innermost loop should move least."""
    free = [a for a in axes if not a.summed]
    wide = sorted(free, key=lambda a: -abs(a.left) - abs(a.right))
    return Roles(
        tuple(a for a in wide if bool(a.left) == bool(a.right)), tuple(a for a in wide if a.left and not a.right),
        tuple(a for a in wide if a.right and not a.left),
        tuple(sorted((a for a in axes if a.summed), key=lambda a: (-abs(a.left), -abs(a.right)))))


def swapped(contraction: Contraction) -> Contraction:
    """The same sums with left and right exchanged."""
    axes = tuple(replace(a, left=a.right, right=a.left) for a in contraction.axes)
    return replace(contraction, axes=axes, left=contraction.right, right=contraction.left)


def mapped(statements: tuple[Statement, ...], index: Callable[[Index], Index],
           position: Callable[[Position], Any]) -> tuple[Statement, ...]:
    """The statements of an epilogue with every index and every position replaced."""
    made: list[Statement] = []
    for s in statements:
        if isinstance(s, Write):
            made.append(replace(s, index=index(s.index)))
        elif isinstance(s, Let) and isinstance(s.value, Read):
            made.append(replace(s, value=replace(s.value, index=index(s.value.index))))
        elif isinstance(s, Let) and isinstance(s.value, Position):
            made.append(replace(s, value=position(s.value)))
        else:
            made.append(s)
    return tuple(made)


def indices(statements: tuple[Statement, ...]) -> list[Index]:
    """Every index that the epilogue reads or writes at."""
    found: list[Index] = []

    def seen(index: Index) -> Index:
        found.append(index)
        return index
    mapped(statements, seen, lambda position: position)
    return found


def positions(statements: tuple[Statement, ...]) -> set[str]:
    """The axes whose variable the epilogue uses as a number."""
    found: set[str] = set()

    def seen(position: Position) -> Position:
        found.add(position.variable)
        return position
    mapped(statements, lambda index: index, seen)
    return found


def stride(index: Index, name: str) -> int:
    """How far a step along the axis moves an index."""
    return sum(step for term, step in index.terms if term == name)


def without(contraction: Contraction, axis: Axis) -> Contraction:
    """The contraction without an axis of size 1."""
    def index(index: Index) -> Index:
        return replace(index, terms=tuple(t for t in index.terms if t[0] != axis.name))

    def position(position: Position) -> Any:
        return Constant(0, np.dtype(np.int64)) if position.variable == axis.name else position
    return replace(contraction, axes=tuple(a for a in contraction.axes if a != axis),
                   epilogue=mapped(contraction.epilogue, index, position))


def continues(outer: Axis, inner: Axis, epilogue: tuple[Index, ...], kept: set[str]) -> bool:
    """Whether a step along `outer` is as far as all steps along `inner`, so that both are one longer axis."""
    if outer.summed != inner.summed or outer.left != inner.left * inner.size or outer.right != inner.right * inner.size:
        return False
    return outer.summed or (not {outer.name, inner.name} & kept and all(
        stride(index, outer.name) == stride(index, inner.name) * inner.size for index in epilogue))


def joined(contraction: Contraction, outer: Axis, inner: Axis) -> Contraction:
    axes = tuple(replace(a, size=outer.size * inner.size) if a == inner else a for a in contraction.axes if a != outer)
    return without(replace(contraction, axes=(*axes, replace(outer, size=1))), replace(outer, size=1))


def simplest(contraction: Contraction) -> Contraction:
    """The contraction without axes of size 1, and with neighbouring axes merged where their strides allow it."""
    for axis in contraction.axes:
        if axis.size == 1:
            contraction = without(contraction, axis)
    kept, places = positions(contraction.epilogue), tuple(indices(contraction.epilogue))
    while True:
        pair = next((p for p in permutations(contraction.axes, 2) if continues(*p, places, kept)), None)
        if pair is None:
            return contraction
        contraction = joined(contraction, *pair)
        places = tuple(indices(contraction.epilogue))
