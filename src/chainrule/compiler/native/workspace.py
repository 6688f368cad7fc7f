"""Workspace is the memory that launches need while they run: it lies where the arena holds nothing at that step.

Little of it has a place of its own behind the arena, the same for all, because what was just in use is still in the cache.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..lowering.arena import ALIGNMENT, lifetimes
from ..plan import Plan
from .abi import Compiled, Phase

LITTLE, SHARE = 1 << 18, 64
"""So many bytes of workspace are worth a place of their own, if they are no more than this part of the arena."""
WORTH = 6_000.0
"""Nanoseconds from which on a phase is divided among threads: several times what handing over and joining cost."""


class Workspace(NamedTuple):
    """Where the workspace of a step lies, in bytes from the arena's beginning: what threads share, what the first of them has for
    itself, and how much each has."""

    shared: int
    private: int
    each: int


def divided(phase: Phase) -> bool:
    """Whether threads share a phase."""
    return phase.rounds > 1 and phase.cost > WORTH


def rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def needed(kernels: Sequence[Compiled], threads: int) -> tuple[int, int, int]:
    """The bytes that are shared while these kernels run one after the other, those of each thread, and those of all threads.

    Where no phase is divided, one thread needs its own.
    """
    shared = rounded(max((c.shared for c in kernels), default=0))
    each = rounded(max((c.private for c in kernels if any(map(divided, c.phases))), default=0))
    return shared, each, max(each * threads, rounded(max((c.private for c in kernels), default=0)))


class Workspaces:
    """The workspaces of a plan's steps, and `end`, where the arena ends with them."""

    def __init__(self, plan: Plan, kernels: Sequence[Sequence[Compiled]], threads: int) -> None:
        self.steps: list[Workspace] = []
        self.end = own = rounded(plan.arena)
        little = min(LITTLE, plan.arena // SHARE)
        taken = Taken(plan)
        for number, compiled in enumerate(kernels):
            shared, each, private = needed(compiled, threads)
            whole = shared + private
            start = own if whole <= little else taken.gap(number, whole)
            self.steps.append(Workspace(start, start + shared, each))
            self.end = max(self.end, start + whole)


class Taken:
    """What the arena holds, step by step."""

    def __init__(self, plan: Plan) -> None:
        life = lifetimes(plan.steps)
        rows = [(b.offset, b.offset + b.size * b.dtype.itemsize, *life[b.name]) for b in plan.buffers
                if b.kind == "scratch" and b.name in life]
        self.starts, self.ends, self.first, self.last = np.array(sorted(rows), np.int64).reshape(-1, 4).T

    def gap(self, number: int, size: int) -> int:
        """The first place for so many bytes that no value takes during a step."""
        here = (self.first <= number) & (number <= self.last)
        ends = np.maximum.accumulate(np.concatenate([[0], self.ends[here]]))
        begins = -(-ends // ALIGNMENT) * ALIGNMENT
        free = np.append(self.starts[here], np.iinfo(np.int64).max) - begins >= size
        return int(begins[free][0])
