"""A sweep runs several launches for one part of an axis they share, and then for the next: what one leaves the next finds in the
cache, and what nothing reads after its round has no memory but that of a part.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..loops.language import AnyKernel, Apply, Array, Contraction, Kernel, Let, Read, Sweep, Turn, Write
from ..loops.operations import CURVES
from ..plan import Buffer, Call, Launch, Place, Repeat, Step, View, When
from .arena import touched
from .cutting import Piece, call_part, piece
from .memory import Buffers
from .tidying import within

PARTS = 16
"""So many parts at least: a thread does a whole one."""
WORTH = 1 << 20
"""Bytes of arrays that need no memory as wholes, from which on a sweep is worth it."""
LIGHT = 16
"""Statements of a kernel that is rather run again in another sweep than that its result is kept for it."""


@dataclass(frozen=True)
class Reach:
    """What a piece touches of a buffer: from where to where in the first part, how far it moves on, whether it writes there,
    and whether it reads before."""

    step: int
    low: int
    high: int
    written: bool
    read: bool


@dataclass(frozen=True)
class Run:
    """Steps one after another that a sweep can join: pieces, and what is computed again where a sum was not finite."""

    parts: int
    items: tuple[Piece | When, ...] = ()

    @property
    def pieces(self) -> list[Piece]:
        return [item for item in self.items if isinstance(item, Piece)]

    def reach(self, name: str) -> list[Reach]:
        return [Reach(step, place.offset, place.offset + array.size, array.written, array.name in reads(cut.launch.kernel))
                for cut in self.pieces
                for array, place, step in zip(cut.launch.kernel.arrays, cut.launch.places, cut.steps) if place.buffer == name]

    def window(self, name: str) -> tuple[int, int]:
        """All that the first part touches of a buffer."""
        reach = self.reach(name)
        return min(r.low for r in reach), max(r.high for r in reach)

    def names(self) -> dict[str, None]:
        """The buffers, in the order in which they are touched."""
        return dict.fromkeys(place.buffer for cut in self.pieces for place in cut.launch.places)

    def begins_with(self, name: str) -> bool:
        """Whether each part of a buffer is written before it is read."""
        reach = self.reach(name)
        return bool(reach) and reach[0].written and not reach[0].read

    def independent(self, buffer: Buffer) -> bool:
        """Whether no part meets what another one writes; a flag is only ever raised."""
        reach = self.reach(buffer.name)
        if not any(r.written for r in reach) or (buffer.kind == "kept" and buffer.size == 1):
            return True
        low, high = self.window(buffer.name)
        steps = {r.step for r in reach}
        whole = len(steps) == 1 and high - low <= max(steps)
        return whole and buffer.kind in ("scratch", "output") and self.begins_with(buffer.name)


def reads(kernel: Kernel | Contraction) -> set[str]:
    """The arrays that a kernel reads, but those that it has written before."""
    contraction = isinstance(kernel, Contraction)
    found = {kernel.left[0]: True, kernel.right[0]: True} if contraction else {}
    for s in within(kernel.epilogue if contraction else kernel.body):
        if isinstance(s, Write):
            found.setdefault(s.array, False)
        elif isinstance(s, Let) and isinstance(s.value, Read):
            found.setdefault(s.value.array, True)
    return {name for name, read in found.items() if read}


# ---------------------------------------------------------------------------------------- finding
def longer(run: Run, step: Step, buffers: dict[str, Buffer]) -> Run | None:
    """The run with one step more, if its parts are independent of one another."""
    if isinstance(step, When):
        known = step.flag.buffer in run.names() and all(divides(s, run.parts) for s in step.steps)
        return replace(run, items=(*run.items, step)) if known else None
    cut = piece(step, run.parts) if isinstance(step, Launch) and may_run_again(step.kernel) else None
    made = replace(run, items=(*run.items, cut)) if cut is not None else None
    return made if made is not None and all(made.independent(buffers[p.buffer]) for p in cut.launch.places) else None


def may_run_again(kernel: AnyKernel) -> bool:
    """Not a contraction that puts something in place of what it reads: that has to know of each element whether it is done."""
    return not isinstance(kernel, Contraction) or reads(kernel).isdisjoint(a.name for a in kernel.arrays if a.written)


def divides(step: Step, parts: int) -> bool:
    """Whether what is computed again can be computed part by part."""
    if isinstance(step, Call):
        return call_part(step, parts) is not None
    return isinstance(step, Launch) and piece(step, parts) is not None


def longest(steps: Sequence[Step], parts: int, buffers: dict[str, Buffer]) -> Run:
    """The run at the beginning of the steps."""
    run = Run(parts)
    for step in steps:
        made = longer(run, step, buffers)
        if made is None:
            break
        run = made
    return run


def runs(steps: Sequence[Step], buffers: dict[str, Buffer]) -> dict[int, Run]:
    """The runs with a contraction and another launch, by where they begin."""
    sizes = sorted({a.size for s in steps if isinstance(s, Launch) and isinstance(s.kernel, Contraction) for a in s.kernel.axes
                    if not a.summed and a.size >= PARTS})
    found, at = {}, 0
    while at < len(steps):
        run = max((longest(steps[at:], n, buffers) for n in sizes), key=lambda r: len(r.items), default=Run(0))
        kinds = [isinstance(cut.launch.kernel, Contraction) for cut in run.pieces]
        if len(kinds) > 1 and any(kinds):
            found[at] = run
        at += max(len(run.items), 1)
    return found


def writes(steps: Iterable[Step]) -> Iterator[str]:
    """The buffers that steps change."""
    for step in steps:
        if isinstance(step, Launch):
            yield from (p.buffer for a, p in zip(step.kernel.arrays, step.places) if a.written)
        elif isinstance(step, Call):
            yield from (v.place.buffer for v in step.targets)
        else:
            yield from writes(step.steps)


# ---------------------------------------------------------------------------------------- choosing
class Choice:
    """The runs that become sweeps."""

    def __init__(self, steps: Sequence[Step], buffers: dict[str, Buffer]) -> None:
        self.steps, self.buffers = steps, buffers
        self.runs = runs(steps, buffers)
        self.ends = {at: at + len(run.items) for at, run in self.runs.items()}
        self.users: dict[str, set[int]] = {}
        for i, step in enumerate(steps):
            for name in touched(step):
                self.users.setdefault(name, set()).add(i)
        for at, end in self.ends.items():
            for earlier in [a for a in self.runs if a < at]:
                for cut in self.runs[earlier].pieces:
                    if self.repeats(cut, earlier, at, end):
                        self.runs[at] = replace(self.runs[at], items=(cut, *self.runs[at].items))
        while any(self.saved(run) < WORTH for run in self.runs.values()):
            self.runs = {at: run for at, run in self.runs.items() if self.saved(run) >= WORTH}

    def repeats(self, cut: Piece, earlier: int, at: int, end: int) -> bool:
        """Whether a later run had better compute again what a piece of an earlier one computes at little cost."""
        kernel, run = cut.launch.kernel, self.runs[at]
        made = [p.buffer for a, p in zip(kernel.arrays, cut.launch.places) if a.written]
        if not isinstance(kernel, Kernel) or len(made) > 1 or run.parts != self.runs[earlier].parts:
            return False
        read = {p.buffer for p in cut.launch.places} - set(made)
        body = list(within(kernel.body))
        curves = any(isinstance(s, Let) and isinstance(s.value, Apply) and s.value.operation in CURVES for s in body)
        (name,) = made
        return (len(body) <= LIGHT and not curves and name in run.names() and not run.begins_with(name)
                and 4 * sum(map(self.bytes, read)) <= self.bytes(name) and read.isdisjoint(writes(self.steps[earlier:end]))
                and replace(run, items=(cut, *run.items)).independent(self.buffers[name]))

    def bytes(self, name: str) -> int:
        return self.buffers[name].size * self.buffers[name].dtype.itemsize

    def passing(self, run: Run) -> list[str]:
        """The buffers that nobody reads but in the round that wrote them."""
        inside = {i: r for at, r in self.runs.items() for i in range(at, self.ends[at])}
        return [name for name in run.names() if self.buffers[name].kind == "scratch" and all(
            i in inside and inside[i].begins_with(name) for i in self.users[name])]

    def saved(self, run: Run) -> int:
        return sum(map(self.bytes, self.passing(run)))


# ---------------------------------------------------------------------------------------- making
def swept(buffers: Buffers, steps: list[Step]) -> list[Step]:
    """The steps with runs of them as sweeps, where that saves much memory."""
    if not any(b.kind == "scratch" and b.size * b.dtype.itemsize >= WORTH for b in buffers.all.values()):
        return steps
    choice, made, at = Choice(steps, buffers.all), [], 0
    while at < len(steps):
        run = choice.runs.get(at)
        if run is None:
            made.append(steps[at])
            at += 1
        else:
            passing = choice.passing(run)
            made += [launched(run, passing, buffers.all), *Again(run, passing, buffers).steps()]
            at = choice.ends[at]
    return made


def launched(run: Run, passing: Sequence[str], buffers: dict[str, Buffer]) -> Launch:
    """The launch of a run's sweep."""
    kept = [name for name in run.names() if name not in passing]
    numbers = {name: f"a{k}" for k, name in enumerate(kept)} | {name: f"own{k}" for k, name in enumerate(passing)}
    arrays = tuple(Array(numbers[name], buffers[name].dtype, buffers[name].size, any(r.written for r in run.reach(name)))
                   for name in kept)
    windows = {name: run.window(name) for name in passing}
    own = tuple(Array(numbers[name], buffers[name].dtype, high - low, True) for name, (low, high) in windows.items())
    turns = tuple(Turn(cut.launch.kernel, tuple(
        (numbers[p.buffer], p.offset - windows[p.buffer][0], 0) if p.buffer in windows else (numbers[p.buffer], p.offset, step)
        for p, step in zip(cut.launch.places, cut.steps))) for cut in run.pieces)
    title = ", ".join(dict.fromkeys(cut.launch.kernel.title for cut in run.pieces))
    return Launch(Sweep(run.parts, arrays, own, turns, title), tuple(map(Place, kept)))


class Again:
    """What a run does, part by part, where a sum was not finite: in place of a careful product there is the operation itself."""

    def __init__(self, run: Run, passing: Sequence[str], buffers: Buffers) -> None:
        self.run, self.passing, self.buffers = run, passing, buffers
        self.parts: dict[str, tuple[str, int]] = {}  # of arrays of which only a part is kept: its buffer, and where it began

    def steps(self) -> list[Step]:
        found = [item for item in self.run.items if isinstance(item, When)]
        if not found:
            return []
        flags, variable = {when.flag.buffer for when in found}, self.buffers.variable()
        for name in self.passing:
            self.keep(name, *self.run.window(name))
        steps: list[Step] = []
        for item in self.run.items:
            if isinstance(item, Piece):
                if flags.isdisjoint(p.buffer for p in item.launch.places):
                    steps.append(self.launch(item, variable))
            else:
                steps += self.careful(item, variable)
        repeat = Repeat(variable, self.run.parts, tuple(steps))
        return [When(when.flag, (repeat,)) for when in found]

    def keep(self, name: str, low: int, high: int) -> None:
        old = self.buffers.all[name]
        self.parts[name] = self.buffers.add(self.buffers.fresh(), old.dtype, high - low, old.kind), low

    def careful(self, when: When, variable: str) -> Iterator[Step]:
        """The steps that compute a part of a product again."""
        cuts = [cut for s in when.steps if isinstance(s, Launch) and (cut := piece(s, self.run.parts)) is not None]
        for array, place in ((a, p) for cut in cuts for a, p in zip(cut.launch.kernel.arrays, cut.launch.places)):
            if self.buffers.all[place.buffer].kind == "rare":
                self.keep(place.buffer, place.offset, place.offset + array.size)
        for s in when.steps:
            if isinstance(s, Call):
                yield self.call(s, variable)
        for cut in cuts:
            yield self.launch(cut, variable)

    def launch(self, cut: Piece, variable: str) -> Launch:
        return replace(cut.launch, places=tuple(self.place(p, variable, s) for p, s in zip(cut.launch.places, cut.steps)))

    def call(self, call: Call, variable: str) -> Call:
        part = call_part(call, self.run.parts)
        assert part is not None, "it was divided before"

        def moved(whole: Any, first: Any) -> Any:
            if not isinstance(first, View):
                return first
            return replace(first, place=self.place(first.place, variable, whole.strides[0] if whole.shape != first.shape else 0))
        return replace(part, args=tuple(map(moved, call.args, part.args)), targets=tuple(map(moved, call.targets, part.targets)))

    def place(self, place: Place, variable: str, step: int) -> Place:
        """Where something of the current part is."""
        if place.buffer in self.parts:
            name, low = self.parts[place.buffer]
            return Place(name, place.offset - low)
        return Place(place.buffer, place.offset, ((variable, step),) if step else ())
