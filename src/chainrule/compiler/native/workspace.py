"""Workspace is the memory that launches need while they run: it lies where the arena holds nothing at that step.

Little of it has a place of its own behind the arena, the same for all, because what was just in use is still in the cache.
"""
from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
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
    """Where the workspace of a step lies, in bytes from the arena's beginning: what threads share, and what each has."""

    shared: int
    private: tuple[int, ...]


def divided(phase: Phase) -> bool:
    """Whether threads share a phase."""
    return phase.rounds > 1 and phase.cost > WORTH


def rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def needed(kernels: Sequence[Compiled], threads: int) -> list[int]:
    """The bytes that are shared while these kernels run one after the other, and those of each thread.

    Where no phase is divided, one thread needs its own.
    """
    shared, private = (rounded(max((getattr(c, part) for c in kernels), default=0)) for part in ("shared", "private"))
    each = rounded(max((c.private for c in kernels if any(map(divided, c.phases))), default=0))
    return [shared, private, *[each] * (threads - 1)]


class Workspaces:
    """The workspaces of a plan's steps, and `end`, where the arena ends with them."""

    def __init__(self, plan: Plan, kernels: Sequence[Sequence[Compiled]], threads: int) -> None:
        self.steps: list[Workspace] = []
        self.end = own = rounded(plan.arena)
        little = min(LITTLE, plan.arena // SHARE)
        taken = Taken(plan)
        for number, compiled in enumerate(kernels):
            sizes = needed(compiled, threads)
            starts = list(accumulate(sizes[:-1], initial=own)) if sum(sizes) <= little else taken.gaps(number, sizes)
            self.steps.append(Workspace(starts[0], tuple(starts[1:])))
            self.end = max(self.end, *(start + size for start, size in zip(starts, sizes)))


class Taken:
    """What the arena holds, step by step."""

    def __init__(self, plan: Plan) -> None:
        life = lifetimes(plan.steps)
        rows = [(b.offset, b.offset + b.size * b.dtype.itemsize, *life[b.name]) for b in plan.buffers
                if b.kind == "scratch" and b.name in life]
        self.starts, self.ends, self.first, self.last = np.array(sorted(rows), np.int64).reshape(-1, 4).T

    def gaps(self, number: int, sizes: Sequence[int]) -> list[int]:
        """For each of these sizes in bytes, the first place that no value takes during a step, nor one of those before it."""
        here = (self.first <= number) & (number <= self.last)
        ends = np.maximum.accumulate(np.concatenate([[0], self.ends[here]]))
        begins = -(-ends // ALIGNMENT) * ALIGNMENT
        free = np.append(self.starts[here], np.iinfo(np.int64).max) - begins
        found = []
        for size in sizes:
            gap = int(np.argmax(free >= size))
            found.append(int(begins[gap]))
            begins[gap] += size
            free[gap] -= size
        return found
