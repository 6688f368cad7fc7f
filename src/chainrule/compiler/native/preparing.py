"""Preparing a kernel for emission: names made unique, what does not change in a loop moved in front of it, phases found."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..loops.language import Array, Index, Kernel, Let, Loop, Read, Start, Statement, Value, Write
from ..loops.races import meeting
from .names import merged, unique, used, uses, walk, written

MANY = 32
"""Rounds that are enough to share among threads."""


@dataclass(frozen=True)
class Part:
    """One phase of a kernel: the loops whose rounds threads share, outermost first; what is done in each round; and the values
    it uses that are the same in all. Without loops to share, the body is all there is to do."""

    shared: tuple[Loop, ...]
    body: tuple[Statement, ...]
    common: tuple[Statement, ...] = ()


# ------------------------------------------------------------------------------------ order
def in_order(body: tuple[Statement, ...], arrays: dict[str, Array], outside: frozenset[str]) -> tuple[Statement, ...]:
    """The statements with loops made serial whose rounds are not independent: a round reads what another wrote."""
    result: list[Statement] = []
    for s in body:
        if isinstance(s, Loop):
            if s.kind != "serial" and suspect(s) and meeting(s, arrays, outside) is not None:
                s = replace(s, kind="serial")
            s = replace(s, body=in_order(s.body, arrays, outside | {s.variable}))
        result.append(s)
    return tuple(result)


def suspect(loop: Loop) -> bool:
    """Whether an array is read and written at different indices."""
    places: dict[str, set[Index]] = {name: set() for name in written(loop.body)}
    for s in walk(loop.body):
        place = s if isinstance(s, Write) else s.value if isinstance(s, Let) and isinstance(s.value, Read) else None
        if place is not None and place.array in places:
            places[place.array].add(place.index)
    return any(len(indices) > 1 for indices in places.values())


# ------------------------------------------------------------------------------------ invariants
def lifted(body: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements with what stays the same in a loop in front of it; loops without rounds are dropped."""
    result: list[Statement] = []
    for statement in body:
        if not isinstance(statement, Loop):
            result.append(statement)
        elif statement.extent > 0:
            result.extend(lift_out_of(statement))
    return tuple(result)


def lift_out_of(loop: Loop) -> list[Statement]:
    changing, changed = {loop.variable}, written(loop.body)
    ahead: list[Statement] = []
    kept: list[Statement] = []
    for statement in lifted(loop.body):
        if isinstance(statement, Let) and not uses(statement.value) & changing and pure(statement.value, changed):
            ahead.append(statement)
            continue
        if isinstance(statement, Let | Start):
            changing.add(statement.name)
        kept.append(statement)
    return [*ahead, replace(loop, body=tuple(kept))]


def pure(value: Value, changed: set[str]) -> bool:
    """Whether the value is the same wherever its arguments are."""
    return not (isinstance(value, Read) and value.array in changed)


# ------------------------------------------------------------------------------------ phases
def parts(kernel: Kernel) -> list[Part]:
    """The kernel's phases. What stands beside its loops and does not change is part of each that uses it."""
    body = lifted(unique(in_order(kernel.body, {a.name: a for a in kernel.arrays}, frozenset())))
    body = merged(body, written(body), {}, {})
    common = [s for s in body if isinstance(s, Let)]
    changed = written(body)
    if any(isinstance(s, Start) for s in body) or not all(pure(s.value, changed) for s in common):
        return [Part((), body)]
    found: list[Part] = []
    for statement in body:
        if isinstance(statement, Let):
            continue
        shared = nest(in_lanes(statement)) if isinstance(statement, Loop) else ()
        if shared:
            found.append(Part(shared, shared[-1].body))
        elif found and not found[-1].shared:
            found[-1] = Part((), (*found[-1].body, statement))
        else:
            found.append(Part((), (statement,)))
    return [replace(p, common=tuple(needed(common, p.body))) for p in found]


def in_lanes(loop: Loop) -> Loop:
    """The loop with its innermost parallel loop over lanes, where no loop is yet and it writes neighbours."""
    if loop.kind != "parallel" or any(isinstance(s, Loop) and s.kind == "vector" for s in walk(loop.body)):
        return loop
    inner = loop.body[0] if len(loop.body) == 1 else None
    if isinstance(inner, Loop) and inner.kind == "parallel":
        return replace(loop, body=(in_lanes(inner),))
    if any(isinstance(s, Loop) and s.kind == "parallel" for s in walk(loop.body)):
        return loop
    steps = [sum(step for name, step in s.index.terms if name == loop.variable) for s in walk(loop.body) if isinstance(s, Write)]
    return replace(loop, kind="vector") if steps and all(step == 1 for step in steps) else loop


def nest(loop: Loop) -> tuple[Loop, ...]:
    """The parallel loops from this one inwards that are shared among threads together, or a vector loop."""
    if loop.kind != "parallel":
        return (loop,) if loop.kind == "vector" else ()
    found: list[Loop] = []
    rounds, inner = 1, loop
    while inner.kind == "parallel" and rounds < MANY:
        found.append(inner)
        rounds *= inner.extent
        if len(inner.body) != 1 or not isinstance(inner.body[0], Loop):
            break
        inner = inner.body[0]
    return tuple(found)


def needed(common: list[Let], body: Iterable[Statement]) -> list[Let]:
    """Those of the common values that the statements use, themselves or through another."""
    wanted = set().union(*map(used, body))
    result: list[Let] = []
    for let in reversed(common):
        if let.name in wanted:
            wanted |= uses(let.value)
            result.append(let)
    return result[::-1]
