"""Overlaying lets a result lie where an array lay that its kernel is the last to read, element by element."""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..loops.language import Contraction, Index, Let, Loop, Read, Statement, Sweep, Write
from ..plan import Buffer, Launch, Step
from .arena import lifetimes, renamed


class Access(NamedTuple):
    """A read or write of an array: in which loops, at which index, and how far down in the kernel."""

    loops: tuple[str, ...]
    index: Index
    line: int


def accesses(body: tuple[Statement, ...], loops: tuple[str, ...], found: dict[tuple[str, bool], list[Access]]) -> None:
    """All accesses, by the array's name and whether it is written."""
    for s in body:
        count = sum(map(len, found.values()))
        if isinstance(s, Loop):
            accesses(s.body, (*loops, s.variable) if s.extent > 1 else loops, found)
        elif isinstance(s, Write):
            found.setdefault((s.array, True), []).append(Access(loops, s.index, count))
        elif isinstance(s, Let) and isinstance(s.value, Read):
            found.setdefault((s.value.array, False), []).append(Access(loops, s.value.index, count))


def pairs(launch: Launch) -> Iterator[tuple[int, int]]:
    """The numbers of two arrays of a kernel: one that is only read, and one that is only written, each element after it was read
    for the last time."""
    kernel = launch.kernel
    found: dict[tuple[str, bool], list[Access]] = {}
    if isinstance(kernel, Sweep):
        return
    if isinstance(kernel, Contraction):
        accesses(kernel.epilogue, tuple(a.name for a in kernel.axes if not a.summed and a.size > 1), found)
    else:
        accesses(kernel.body, (), found)
    operands = {kernel.left[0], kernel.right[0]} if isinstance(kernel, Contraction) else set()
    for i, old in enumerate(kernel.arrays):
        for j, new in enumerate(kernel.arrays):
            reads, writes = found.get((old.name, False), []), found.get((new.name, True), [])
            only = (old.name, True) not in found and (new.name, False) not in found and old.name not in operands
            same = old.dtype == new.dtype and old.size == new.size
            if reads and writes and only and same and one_round([*reads, *writes]) and reads[-1].line < writes[0].line:
                yield i, j


def one_round(all_of_them: list[Access]) -> bool:
    """Whether accesses are at one index, which is another one in each round of the loops."""
    first = all_of_them[0]
    return all(a[:2] == first[:2] for a in all_of_them) and {name for name, _ in first.index.terms} == set(first.loops)


def overlaid(buffers: dict[str, Buffer], steps: list[Step]) -> list[Step]:
    """The steps with results in the scratch buffers that their kernels are the last to read."""
    life, made = lifetimes(steps), []
    names: dict[str, str] = {}
    for i, step in enumerate(steps):
        if isinstance(step, Launch):
            taken = set()
            for old, new in pairs(step):
                a, b = step.places[old].buffer, step.places[new].buffer
                whole = all(buffers[n].kind == "scratch" and buffers[n].size == step.kernel.arrays[old].size for n in (a, b))
                if whole and life[a][1] == i == life[b][0] and a not in taken and b not in names and uses_once(step, a, b):
                    taken.add(a)
                    names[b] = names.get(a, a)
        made.append(renamed(step, names))
    return made


def uses_once(step: Launch, *names: str) -> bool:
    """Whether each buffer is one array of the launch, and no more."""
    return all(sum(p.buffer == name for p in step.places) == 1 for name in names)
