"""A compiled kernel is native functions of one signature, run one after another, each over its rounds.

Each function is `void f(i8** arrays, i64 begin, i64 end, i8* shared, i8* private)`: it does the rounds begin, ..., end - 1, at
least one. The rounds of one phase are independent, and are divided among the threads; a phase begins when the one before it is
finished.
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A native function, how many rounds it has, and about how many nanoseconds all of them take on one core."""

    function: str
    rounds: int
    cost: float


@dataclass(frozen=True)
class Compiled:
    """The phases of a kernel, and the scratch memory it asks for, in bytes: `shared` by all threads, `private` to each.

    Both pieces begin at a multiple of 64 bytes, and hold anything at the start.
    """

    phases: tuple[Phase, ...]
    shared: int = 0
    private: int = 0
