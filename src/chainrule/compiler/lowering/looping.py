"""A loop over time whose steps are small kernels alone becomes a loop inside of one kernel: nothing is launched in a step."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import inf

from ..loops.language import Array, Index, Kernel, Let, Loop, Read, Statement, Write
from ..plan import Launch, Place, Repeat, Step

LITTLE = 30_000
"""So many statements in a step, counted once for each element, are less work than threads are worth waking for."""


def inside_kernel(repeat: Repeat) -> Step:
    """The same loop as one launch, where that is possible and its steps do little; else as it is."""
    launches = [step for step in repeat.steps if isinstance(step, Launch) and isinstance(step.kernel, Kernel)]
    if len(launches) < len(repeat.steps) or not launches or sum(work(x.kernel.body) for x in launches) > LITTLE:
        return repeat
    arrays = joined(launches, repeat)
    if arrays is None:
        return repeat
    numbers = {buffer: f"a{k}" for k, buffer in enumerate(arrays)}
    variable = new_variable(launches)
    body: list[Statement] = []
    for launch in launches:
        moved = {}
        for array, place in zip(launch.kernel.arrays, launch.places):
            first, _ = arrays[place.buffer]
            step = dict(place.steps).get(repeat.variable, 0)
            moved[array.name] = (numbers[place.buffer], place.offset - first.offset, ((variable, step),) if step else ())
        body += rewritten(launch.kernel.body, moved)
    kernel = Kernel(tuple(replace(array, name=numbers[name]) for name, (_, array) in arrays.items()),
                    (Loop(variable, repeat.count, tuple(body)),), ", ".join(dict.fromkeys(x.kernel.title for x in launches)))
    return Launch(kernel, tuple(place for place, _ in arrays.values()))


def work(body: Iterable[Statement]) -> float:
    """The statements, counted as often as they run."""
    return sum(s.extent * work(s.body) if isinstance(s, Loop) else 1 for s in body)


def new_variable(launches: list[Launch]) -> str:
    """A name that no loop has yet."""
    taken, name = {v for launch in launches for v in variables(launch.kernel.body)}, "t"
    while name in taken:
        name += "t"
    return name


def variables(body: Iterable[Statement]) -> Iterator[str]:
    for s in body:
        if isinstance(s, Loop):
            yield s.variable
            yield from variables(s.body)


def joined(launches: list[Launch], repeat: Repeat) -> dict[str, tuple[Place, Array]] | None:
    """For each buffer one array that holds all that the kernels touch of it in any step; None where outer loops move on parts of
    it in different ways."""
    spans: dict[str, tuple[float, float, bool]] = {}
    others: dict[str, tuple[tuple[str, int], ...]] = {}
    dtypes = {}
    for launch in launches:
        for array, place in zip(launch.kernel.arrays, launch.places):
            outer = tuple(step for step in place.steps if step[0] != repeat.variable)
            reach = dict(place.steps).get(repeat.variable, 0) * (repeat.count - 1)
            if others.setdefault(place.buffer, outer) != outer or dtypes.setdefault(place.buffer, array.dtype) != array.dtype:
                return None
            first, end, written = spans.get(place.buffer, (inf, -inf, False))
            low, high = place.offset + min(reach, 0), place.offset + max(reach, 0) + array.size
            spans[place.buffer] = (min(first, low), max(end, high), written or array.written)
    return {name: (Place(name, int(first), others[name]), Array(name, dtypes[name], int(end - first), written))
            for name, (first, end, written) in spans.items()}


def rewritten(body: Iterable[Statement], moved: dict[str, tuple[str, int, tuple[tuple[str, int], ...]]]) -> list[Statement]:
    """Statements that name the joined arrays, and what of them is there in the step. Loops run on one thread."""
    made: list[Statement] = []
    for s in body:
        if isinstance(s, Loop):
            s = replace(s, body=tuple(rewritten(s.body, moved)), kind="serial" if s.kind == "parallel" else s.kind)
        elif isinstance(s, Let) and isinstance(s.value, Read):
            by = moved[s.value.array]
            s = replace(s, value=replace(s.value, array=by[0], index=shifted(s.value.index, by)))
        elif isinstance(s, Write):
            s = replace(s, array=moved[s.array][0], index=shifted(s.index, moved[s.array]))
        made.append(s)
    return made


def shifted(index: Index, by: tuple[str, int, tuple[tuple[str, int], ...]]) -> Index:
    return Index(index.offset + by[1], (*by[2], *index.terms))
