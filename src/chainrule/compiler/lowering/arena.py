"""An arena is one piece of memory for all that lives for a while: values that are not needed at the same time share places."""
from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..plan import Buffer, Call, Launch, Place, Repeat, Step, View, When

ALIGNMENT = 64


def touched(step: Step) -> Iterator[str]:
    """The buffers that a step reads or writes."""
    if isinstance(step, Launch):
        yield from (p.buffer for p in step.places)
    elif isinstance(step, Call):
        yield from (v.place.buffer for v in (*step.args, *step.targets) if isinstance(v, View))
    else:
        if isinstance(step, When):
            yield step.flag.buffer
        for inner in step.steps:
            yield from touched(inner)


def lifetimes(steps: Iterable[Step]) -> dict[str, tuple[int, int]]:
    """The first and the last step that touches each buffer."""
    found: dict[str, tuple[int, int]] = {}
    for i, step in enumerate(steps):
        for name in touched(step):
            found[name] = (found[name][0] if name in found else i, i)
    return found


class Piece(NamedTuple):
    """Memory that is needed from one step to another: its bytes, and that it begins at a multiple of `line`."""

    size: int
    line: int
    first: int
    last: int


def pieces(buffers: Iterable[Buffer], life: dict[str, tuple[int, int]]) -> dict[str, Piece]:
    """The scratch buffers that are used, by name."""
    found = {}
    for b in buffers:
        if b.kind == "scratch" and b.name in life:
            size = b.size * b.dtype.itemsize
            line = ALIGNMENT if size >= ALIGNMENT else b.dtype.itemsize  # single numbers stand side by side
            found[b.name] = Piece(size, line, *life[b.name])
    return found


ORDERS: tuple[Callable[[Piece], tuple[int, ...]], ...] = (
    lambda p: (p.first == p.last, -p.size, -p.last),  # large ones first, and what a single step needs between them
    lambda p: (-p.size, p.first - p.last),
)
"""Orders in which pieces may find their places; none is the best for all programs."""


def offsets(needed: Sequence[Piece]) -> list[int]:
    """Where pieces begin in an arena: two that are needed at the same time do not overlap."""
    return min((placed(needed, order) for order in ORDERS),
               key=lambda places: max((start + piece.size for start, piece in zip(places, needed)), default=0))


def placed(needed: Sequence[Piece], order: Callable[[Piece], tuple[int, ...]]) -> list[int]:
    """Where pieces begin if one after the other takes the first place that is free as long as it is needed."""
    places = [0] * len(needed)
    taken: list[tuple[int, int, int, int]] = []  # where it begins and ends, first and last step
    for number in sorted(range(len(needed)), key=lambda n: order(needed[n])):
        (size, line, first, last), offset = needed[number], 0
        for start, end, other_first, other_last in taken:
            if other_first <= last and first <= other_last:
                if offset + size <= start:
                    break
                offset = max(offset, -(-end // line) * line)
        insort(taken, (offset, offset + size, first, last))
        places[number] = offset
    return places


def arranged(buffers: Iterable[Buffer], steps: Sequence[Step]) -> list[Buffer]:
    """The buffers, those of scratch with places in the arena. Unused ones are dropped."""
    buffers, life = list(buffers), lifetimes(steps)
    needed = pieces(buffers, life)
    places = dict(zip(needed, offsets(list(needed.values()))))
    return [replace(b, offset=places[b.name]) if b.name in places else b for b in buffers
            if b.kind in ("input", "output") or b.name in life]


def renamed(step: Step, names: dict[str, str]) -> Step:
    """The step with some buffers in place of others."""
    def place(p: Place) -> Place:
        return replace(p, buffer=names.get(p.buffer, p.buffer))

    def view(v: Any) -> Any:
        return replace(v, place=place(v.place)) if isinstance(v, View) else v

    if isinstance(step, Launch):
        return replace(step, places=tuple(map(place, step.places)))
    if isinstance(step, Call):
        return replace(step, args=tuple(map(view, step.args)), targets=tuple(map(view, step.targets)))
    inner = tuple(renamed(s, names) for s in step.steps)
    if isinstance(step, When):
        return When(place(step.flag), inner)
    return Repeat(step.variable, step.count, inner)


def shared(frames: dict[str, Any], steps: list[Step]) -> list[Step]:
    """The steps with one buffer in place of several with the same border, where these are not needed at the same time: zeros
    stay where they are."""
    life = lifetimes(steps)
    free: dict[Any, list[tuple[int, str]]] = {}  # for each layout the buffers, and when they are last needed
    names: dict[str, str] = {}
    for name in sorted((n for n in frames if n in life), key=lambda n: life[n]):
        first, last = life[name]
        waiting = free.setdefault(frames[name], [])
        found = next((entry for entry in waiting if entry[0] < first), None)
        if found is not None:
            waiting.remove(found)
            names[name] = found[1]
        waiting.append((last, names.get(name, name)))
    return [renamed(step, names) for step in steps] if names else steps
