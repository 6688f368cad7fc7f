"""Workspace is the memory that launches need while they run: it has its place in the arena among the values, for one step.

Little of it has a place of its own behind the arena, the same for all, because what was just in use is still in the cache.
"""
from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from ..lowering.arena import ALIGNMENT, Piece, lifetimes, offsets, pieces
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
    """The workspaces of a plan's steps, the `places` of its scratch buffers among them, and where the arena has its `end`."""

    def __init__(self, plan: Plan, kernels: Sequence[Sequence[Compiled]], threads: int) -> None:
        sizes = [needed(compiled, threads) for compiled in kernels]
        little = min(LITTLE, plan.arena // SHARE)
        own = Piece(max((sum(s) for s in sizes if sum(s) <= little), default=0), ALIGNMENT, 0, len(sizes))
        large = {(step, part): Piece(size, ALIGNMENT, step, step) for step, each in enumerate(sizes) if sum(each) > little
                 for part, size in enumerate(each) if size}
        buffers = pieces(plan.buffers, lifetimes(plan.steps))
        every = [own, *buffers.values(), *large.values()]
        start, *found = offsets(every)
        self.end = rounded(max(begin + piece.size for begin, piece in zip((start, *found), every)))
        self.places = dict(zip(buffers, found))
        inside = dict(zip(large, found[len(buffers):]))
        self.steps: list[Workspace] = []
        for step, each in enumerate(sizes):
            shared, *private = [inside.get((step, part), begin)
                                for part, begin in enumerate(accumulate(each[:-1], initial=start))]
            self.steps.append(Workspace(shared, tuple(private)))
