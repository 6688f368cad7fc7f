"""A schedule is a plan as the runtime reads it: whole numbers in a row, with addresses of functions in them."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..loops.language import AnyKernel, Contraction
from ..plan import Call, Launch, Place, Plan, Repeat, Step, When
from . import canonical, runtime
from .compiling import Code
from .workspace import Workspace, Workspaces, divided

PIECES = 3
"""Into how many pieces each thread's share of a loop is cut: threads that are done take what others have not begun. A contraction
packs its panels for each piece, and has one."""


def launches(steps: Sequence[Step]) -> list[Launch]:
    """All launches, those that are repeated too, in order."""
    found: list[Launch] = []
    for step in steps:
        if isinstance(step, Launch):
            found.append(step)
        elif isinstance(step, Repeat | When):
            found += launches(step.steps)
    return found


class Distinct:
    """The kernels of a plan, each once. Equal text makes them one: 0.0 and -0.0 are equal as numbers, and not the same."""

    def __init__(self, plan: Plan) -> None:
        self.kernels: list[AnyKernel] = []
        self.texts: list[str] = []
        self.numbers: dict[int, int] = {}
        known: dict[str, int] = {}
        for launch in launches(plan.steps):
            if id(launch.kernel) in self.numbers:
                continue
            text = canonical.text(launch.kernel)
            if text not in known:
                known[text] = len(known)
                self.kernels.append(launch.kernel)
                self.texts.append(text)
            self.numbers[id(launch.kernel)] = known[text]


def in_order(steps: Sequence[Step], distinct: Distinct) -> str:
    """The steps of a plan on one line: kernels by number, calls by the operation's name."""
    words = []
    for step in steps:
        if isinstance(step, Launch):
            words.append(f"[{distinct.numbers[id(step.kernel)]}]")
        elif isinstance(step, Call):
            words.append(f"{step.prim.name} in NumPy")
        elif isinstance(step, Repeat):
            words.append(f"{step.count} times ({in_order(step.steps, distinct)})")
        else:
            words.append(f"if a sum is not finite ({in_order(step.steps, distinct)})")
    return ", ".join(words)


@dataclass
class Schedule:
    """The words so far; the calls into Python, by number; the loops' variables, by number."""

    plan: Plan
    distinct: Distinct
    code: Code
    threads: int
    words: list[int] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    variables: dict[str, int] = field(default_factory=dict)
    slots: dict[str, int] = field(init=False)
    workspaces: Workspaces = field(init=False)
    workspace: Workspace = field(init=False)  # of the launches that are added now

    def __post_init__(self) -> None:
        self.slots = {buffer.name: number for number, buffer in enumerate(self.plan.buffers)}
        numbers = [[self.distinct.numbers[id(launch.kernel)] for launch in launches([step])] for step in self.plan.steps]
        self.workspaces = Workspaces(self.plan, [[self.code.compiled[n] for n in each] for each in numbers], self.threads)
        for step, workspace in zip(self.plan.steps, self.workspaces.steps):
            self.workspace = workspace
            self.add([step])
        self.words.append(runtime.END)

    def add(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, Launch):
                self.launch(step)
            elif isinstance(step, Call):
                self.words += (runtime.CALL, len(self.calls))
                self.calls.append(step)
            elif isinstance(step, When):
                self.words += (runtime.WHEN, self.slots[step.flag.buffer], step.flag.offset, 0)
                away = len(self.words) - 1
                self.add(step.steps)
                self.words[away] = len(self.words)
            elif step.count > 0:
                variable = self.variables.setdefault(step.variable, len(self.variables))
                self.words += (runtime.REPEAT, variable)
                begin = len(self.words)
                self.add(step.steps)
                self.words += (runtime.AGAIN, variable, step.count, begin)

    def launch(self, launch: Launch) -> None:
        number = self.distinct.numbers[id(launch.kernel)]
        phases = self.code.compiled[number].phases
        shared, private = self.workspace
        self.words += (runtime.LAUNCH, len(launch.places), len(phases), shared, len(private), *private)
        for place, array in zip(launch.places, launch.kernel.arrays):
            self.words += self.place(place, array.dtype)
        most = 1 if isinstance(launch.kernel, Contraction) else PIECES
        for phase, address in zip(phases, self.code.addresses[number]):
            pieces = max(1, min(most, phase.rounds // (2 * self.threads)))
            self.words += (address, phase.rounds, pieces if divided(phase) else 0)

    def place(self, place: Place, dtype: np.dtype) -> list[int]:
        size = dtype.itemsize
        words = [self.slots[place.buffer], place.offset * size, len(place.steps)]
        for name, stride in place.steps:
            words += (self.variables.setdefault(name, len(self.variables)), stride * size)
        return words
