"""What a program keeps in memory, who holds it, and what it computes again instead."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """A value in memory at the peak: `operation` made it, `holder` is the last operation that needs it, at line `until`."""

    name: str
    type: str
    size: int
    operation: str
    source: str
    holder: str
    until: int

    def __str__(self) -> str:
        return (f"{in_words(self.size):>9}  {self.name}: {self.type} = {self.operation}, for {self.holder} in line {self.until}"
                f"  ({short(self.source)})")


@dataclass(frozen=True)
class Again:
    """A value computed a second time instead of kept: `cost` is about how many operations on numbers that takes."""

    name: str
    type: str
    size: int
    operation: str
    source: str
    cost: int

    def __str__(self) -> str:
        return (f"{in_words(self.size):>9}  {self.name}: {self.type} = {self.operation}, about {self.cost:,} operations"
                f"  ({short(self.source)})")


@dataclass(frozen=True)
class Memory:
    """The peak of the memory for intermediate values, in bytes, and where it is, as far as the lines of the program tell.

    Besides, a program holds its `inputs`, and its `results` but for those made in an input's memory. `held` is what native code
    has for intermediate values, packed panels and constants, all in all.
    """

    peak: int
    where: str
    kept: tuple[Kept, ...]
    recomputed: tuple[Again, ...] = ()
    budget: int | None = None
    inputs: int = 0
    results: int = 0
    held: int | None = None

    @property
    def total(self) -> int:
        """All bytes in use at the peak: inputs, results, and what lies between."""
        return self.inputs + self.results + (self.peak if self.held is None else self.held)

    def __str__(self) -> str:
        budget = "" if self.budget is None else f", of a budget of {in_words(self.budget)}"
        lines = [f"peak: {in_words(self.peak)}{budget}, at {self.where}" if self.where else "nothing is kept"]
        held = "" if self.held is None else f", {in_words(self.held)} held by the native code"
        lines += [f"in all {in_words(self.total)}: {in_words(self.inputs)} of inputs, {in_words(self.results)} of new "
                  f"results{held}"]
        lines += ["kept at the peak:", *(f"  {each}" for each in self.kept)] if self.kept else []
        if self.recomputed:
            lines += [f"computed again, about {sum(each.cost for each in self.recomputed):,} operations in all:",
                      *(f"  {each}" for each in self.recomputed)]
        return "\n".join(lines)


def short(source: str) -> str:
    """A source line without the folders of its file."""
    return source.rsplit("/", 1)[-1]


def in_words(size: int) -> str:
    """A number of bytes as people write it."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"
