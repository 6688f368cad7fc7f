"""A race: two rounds of a parallel or vector loop meet at one place of an array, and one of them writes there."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .language import Array, Constant, Index, Let, Loop, Read, Statement, Write

MOST = 1 << 22
"""Places up to which all rounds are looked at; of larger loops the inner ones are cut short."""
CUT = 8


@dataclass(frozen=True)
class Access:
    """A read or a write in a loop, and the loops around it, further inside."""

    array: str
    index: Index
    writes: bool
    loops: tuple[Loop, ...]
    statement: Statement


def races(body: Iterable[Statement], arrays: dict[str, Array], outside: frozenset[str] = frozenset(),
          ) -> Iterator[tuple[Loop, Statement]]:
    """The loops whose rounds meet, each with a statement that takes part; `outside` are the variables of loops around them.

    Places that come from values, or are under a guard, are the maker's promise, and are passed over; so are writes of one
    constant to one place, which raise a flag.
    """
    for s in body:
        if not isinstance(s, Loop):
            continue
        if s.kind != "serial" and s.extent > 1:
            met = meeting(s, arrays, outside)
            if met is not None:
                yield s, met
        yield from races(s.body, arrays, outside | {s.variable})


def meeting(loop: Loop, arrays: dict[str, Array], outside: frozenset[str]) -> Statement | None:
    """A statement at whose place another round of the loop writes."""
    found = list(accesses(loop.body, ()))
    for name in {a.array for a in found if a.writes}:
        if apart([a for a in found if a.array == name], loop):
            continue
        owners = np.full(arrays[name].size, -1)
        for access in sorted((a for a in found if a.array == name), key=lambda a: not a.writes):
            places, rounds = reached(access, loop, outside)
            inside = (places >= 0) & (places < owners.size)
            places, rounds = places[inside], rounds[inside]
            if ((owners[places] != -1) & (owners[places] != rounds)).any():
                return access.statement
            if access.writes:
                owners[places] = rounds
                if (owners[places] != rounds).any():
                    return access.statement
    return None


def apart(found: list[Access], loop: Loop) -> bool:
    """Whether it is plain that rounds do not meet: each stays within a stretch shorter than the step to the next one's."""
    steps, low, high = set(), [], []
    for access in found:
        extents = {inner.variable: inner.extent for inner in access.loops}
        reach = [step * (extents[name] - 1) for name, step in access.index.terms if name in extents]
        rest = tuple(term for term in access.index.terms if term[0] not in extents and term[0] != loop.variable)
        steps.add((sum(step for name, step in access.index.terms if name == loop.variable), rest))
        low.append(access.index.offset + sum(r for r in reach if r < 0))
        high.append(access.index.offset + sum(r for r in reach if r > 0))
    return len(steps) == 1 and max(high) - min(low) < abs(next(iter(steps))[0])


def accesses(body: Iterable[Statement], loops: tuple[Loop, ...]) -> Iterator[Access]:
    body = tuple(body)
    constants = {s.name for s in body if isinstance(s, Let) and isinstance(s.value, Constant)}
    for s in body:
        if isinstance(s, Loop):
            yield from accesses(s.body, (*loops, s))
        elif isinstance(s, Write) and s.guard is None and (s.index.terms or s.value not in constants):
            yield Access(s.array, s.index, True, loops, s)
        elif isinstance(s, Let) and isinstance(s.value, Read) and s.value.guard is None:
            yield Access(s.value.array, s.value.index, False, loops, s)


def reached(access: Access, loop: Loop, outside: frozenset[str]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The places of an access in every round, with the round's number, where all other variables outside are 0."""
    steps: dict[str, int] = {}
    for name, step in access.index.terms:
        steps[name] = steps.get(name, 0) + step
    inner = [inner for inner in access.loops if steps.get(inner.variable)]
    if steps.keys() - {loop.variable} - {i.variable for i in access.loops} - outside:
        return np.empty(0, int), np.empty(0, int)
    extents = [loop.extent, *(i.extent for i in inner)]
    if np.prod(extents, dtype=float) > MOST:
        extents[1:] = [min(extent, CUT) for extent in extents[1:]]
    grid = np.indices(extents).reshape(len(extents), -1)
    variables = [loop.variable, *(i.variable for i in inner)]
    places = access.index.offset + sum(steps.get(v, 0) * line for v, line in zip(variables, grid))
    return np.broadcast_to(places, grid[0].shape), grid[0]
