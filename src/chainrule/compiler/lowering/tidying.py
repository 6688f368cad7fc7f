"""Tidying makes one loop of two, where every array is passed through as if it had one axis in place of both."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..loops.language import Index, Let, Loop, Position, Read, Statement, Write

KINDS = {("parallel", "parallel"): "parallel", ("parallel", "vector"): "vector", ("serial", "serial"): "serial",
         ("serial", "vector"): "vector"}


def within(body: tuple[Statement, ...]) -> Iterator[Statement]:
    """All statements, those of inner loops too."""
    for statement in body:
        yield statement
        if isinstance(statement, Loop):
            yield from within(statement.body)


def indices(body: tuple[Statement, ...]) -> Iterator[Index]:
    for s in within(body):
        if isinstance(s, Write):
            yield s.index
        elif isinstance(s, Let) and isinstance(s.value, Read):
            yield s.value.index


def collapsed(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The statements with perfect nests of loops made one loop where they can be."""
    return tuple(collapsed_loop(s) if isinstance(s, Loop) else s for s in body)


def collapsed_loop(loop: Loop) -> Loop:
    loop = replace(loop, body=collapsed(loop.body))
    if loop.extent == 1:
        return loop
    inner = loop.body[0] if len(loop.body) == 1 else None
    kind = KINDS.get((loop.kind, inner.kind)) if isinstance(inner, Loop) else None
    if not isinstance(inner, Loop) or kind is None:
        return loop
    if loop.kind == "serial" and inner.kind == "vector" and depends(inner.body):
        return loop
    if (loop.kind, inner.kind) == ("serial", "vector") and feeds_back(inner.body):
        return loop
    names = {loop.variable, inner.variable}
    for s in within(inner.body):
        if isinstance(s, Let) and isinstance(s.value, Position) and s.value.variable in names:
            return loop
    for index in indices(inner.body):
        steps = dict(index.terms)
        if steps.get(loop.variable, 0) != inner.extent * steps.get(inner.variable, 0):
            return loop
    return replace(inner, extent=loop.extent * inner.extent, kind=kind, body=without(inner.body, loop.variable))


def depends(body: tuple[Statement, ...]) -> bool:
    """Whether rounds may read what other rounds wrote."""
    written = {s.array: s.index for s in within(body) if isinstance(s, Write)}
    return any(s.value.array in written and s.value.index != written[s.value.array] for s in within(body)
               if isinstance(s, Let) and isinstance(s.value, Read))


def feeds_back(body: tuple[Statement, ...]) -> bool:
    """Whether statements read an array that they write."""
    written = {s.array for s in within(body) if isinstance(s, Write)}
    return any(isinstance(s, Let) and isinstance(s.value, Read) and s.value.array in written for s in within(body))


def without(body: tuple[Statement, ...], variable: str) -> tuple[Statement, ...]:
    """The statements with a loop's variable taken out of every index."""
    made: list[Statement] = []
    for s in body:
        if isinstance(s, Loop):
            s = replace(s, body=without(s.body, variable))
        elif isinstance(s, Write):
            s = replace(s, index=dropped(s.index, variable))
        elif isinstance(s, Let) and isinstance(s.value, Read):
            s = replace(s, value=replace(s.value, index=dropped(s.value.index, variable)))
        made.append(s)
    return tuple(made)


def dropped(index: Index, variable: str) -> Index:
    return Index(index.offset, tuple(t for t in index.terms if t[0] != variable))
