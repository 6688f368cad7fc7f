"""Recomputation computes values a second time, just before they are needed again, instead of keeping them in memory.

What costs next to nothing is always computed again. Under a budget, while the peak is above it, values that are kept across it
are given up, those first that cost the least to compute again for each byte they free. They are computed again from values that
are there anyway; where an ancestor is not, it is computed again, too.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from chainrule.core.stage import Graph, Line, Symbol, call
from chainrule.core.type import Array
from chainrule.errors import ArgumentError

from .costs import ELEMENTS, TERMS, cost
from .lateness import later
from .lifetimes import VIEWS, Lifetime, Lifetimes
from .liveness import drop_dead
from .memory import Again, Kept, Memory, in_words, short

ATTEMPTS = 6
"""So often is a program weighed."""
ROUNDS = 400
PATIENCE = 10
"""So many rounds in a row may pass without a lower peak."""
STEPS = (3, 1.5, 1)
"""One part in so many of the excess is given up in a round: many small steps cost less, a few large ones may reach further."""
LONGEST = 40
"""More lines than this are not computed again for one value."""
FREE = 0.5
"""So many operations for each byte, such as a multiplication and an addition for each float, are done again without a budget."""
SLIGHT = 128
"""So many times as much work must be in the product that needs the value."""


@dataclass(frozen=True)
class Gap:
    """A value that is not kept between its use in line `start` and its next one, in line `end`."""

    life: Lifetime
    start: int
    end: int


def measure(graph: Graph, *, again: tuple[Again, ...] = (), budget: int | None = None) -> Memory:
    """What a graph keeps in memory, estimated from the lifetimes of its values."""
    lifetimes = Lifetimes(graph)
    totals = lifetimes.totals()
    if not totals:
        return Memory(0, "", (), again, budget)
    peak = max(range(len(totals)), key=totals.__getitem__)
    here = [life for life in lifetimes.of.values() if life.size and life.born <= peak <= life.last]
    here.sort(key=lambda life: -life.size)
    line = graph.lines[peak]
    return Memory(totals[peak], f"line {peak}, {call(line)} ({short(line.source)})",
                  tuple([kept(life, graph) for life in here]), again, budget)


def kept(life: Lifetime, graph: Graph) -> Kept:
    line = graph.lines[life.born]
    return Kept(life.value.name, str(life.value.type), life.size, line.prim.name, line.source,
                graph.lines[life.last].prim.name, life.last)


def recompute(graph: Graph, budget_bytes: int, weigh: Callable[[Graph], int] | None = None) -> tuple[Graph, Memory]:
    """The same program with a peak of at most `budget_bytes` for intermediate values, and what that takes.

    `weigh` says how many bytes a program takes up really; without it, the estimate counts. Raises ArgumentError, with the least
    budget that was reached, where this cannot be done. Equal lines must not be shared afterwards: the second computation would
    be merged with the first.
    """
    lighter = lightened(graph)
    found, real = tightened(lighter, budget_bytes, weigh)
    if real > budget_bytes:
        least = real
        while (reached := tightened(lighter, least, weigh)[1]) > least:
            least = reached
        raise ArgumentError(f"memory: the program needs at least {in_words(least)} for intermediate values, even if it computes "
                            f"again what it can; the budget is {in_words(budget_bytes)}. Give a budget of {least} bytes or more, "
                            "or make the batch smaller.")
    return found, measure(found, again=twice(found, graph), budget=budget_bytes)


def tightened(graph: Graph, budget: int, weigh: Callable[[Graph], int] | None) -> tuple[Graph, int]:
    """The program within the budget, or the lightest that was found, and its weight: estimates get less, until it fits."""
    if weigh is None:
        peak, found = lowest(graph, budget)
        return found, peak
    best, aim = (graph, weigh(graph)), budget
    for _ in range(ATTEMPTS):
        if best[1] <= budget:
            break
        peak, found = lowest(graph, aim)
        real = weigh(found)
        best = min(best, (found, real), key=itemgetter(1))
        if peak > aim:
            break
        aim = int(aim * min(0.95, budget / max(real, 1)))
    return best


def lowest(graph: Graph, budget: int) -> tuple[int, Graph]:
    """A peak within the budget, or the lowest that was found, and the program that has it."""
    found = []
    for steps in STEPS:
        found.append(attempt(graph, budget, steps))
        if found[-1][0] <= budget:
            return found[-1]
    return min(found, key=itemgetter(0))


def attempt(graph: Graph, budget: int, steps: float) -> tuple[int, Graph]:
    """The lowest peak that was reached on the way to the budget, and the program that has it."""
    best, waited = (sys.maxsize, graph), 0
    for _ in range(ROUNDS):
        lifetimes = Lifetimes(graph)
        totals = lifetimes.totals()
        peak = max(totals, default=0)
        best, waited = ((peak, graph), 0) if peak < best[0] else (best, waited + 1)
        if peak <= budget or waited > PATIENCE:
            break
        gaps = given_up(lifetimes, totals.index(peak), (peak - budget) / steps)
        if not gaps:
            break
        graph = Reordering(lifetimes, gaps).run()
    return best


def twice(graph: Graph, before: Graph) -> tuple[Again, ...]:
    """The lines that compute something again, which were not there before."""
    original = {target for line in before.lines for target in line.targets}
    return tuple([
        Again(t.name, str(t.type), t.type.size * t.type.dtype.itemsize, line.prim.name, line.source, cost(line))
        for line in graph.lines for t in line.targets[:1] if t not in original and line.prim not in VIEWS])


# ---------------------------------------------------------------------------------------- what to give up
def lightened(graph: Graph) -> Graph:
    """The same program, which computes again for a product, from what is kept anyway, what costs next to nothing beside it."""
    lifetimes = Lifetimes(graph)
    totals = lifetimes.totals()
    chosen: dict[Symbol, Gap] = {}
    for gap in kept_across(lifetimes, totals.index(max(totals))) if totals else ():
        line, needs = graph.lines[gap.life.born], graph.lines[gap.end]
        price = relative_cost(gap, lifetimes, chosen) if line.prim in ELEMENTS and needs.prim.name in TERMS else None
        if price is not None and price <= FREE and SLIGHT * price * gap.life.size <= cost(needs):
            chosen[gap.life.value] = gap
    return Reordering(lifetimes, list(chosen.values())).run() if chosen else graph


def kept_across(lifetimes: Lifetimes, peak: int) -> list[Gap]:
    """The values that are kept across the peak, which does not need them."""
    across = []
    for life in lifetimes.of.values():
        if life.size and life.born < peak < life.last and peak not in life.uses:
            start = max([u for u in life.uses if u < peak], default=life.born)
            across.append(Gap(life, start, min(u for u in life.uses if u > peak)))
    return across


def given_up(lifetimes: Lifetimes, peak: int, wanted: float) -> list[Gap]:
    """Values kept across the peak that are the cheapest to compute again, until they come to the bytes wanted."""
    across = kept_across(lifetimes, peak)
    chosen: dict[Symbol, Gap] = {}
    priced = sorted([(price, k) for k, gap in enumerate(across) if (price := relative_cost(gap, lifetimes, chosen)) is not None])
    freed = 0
    for _, k in priced:
        gap = across[k]
        if freed >= wanted:
            break
        if relative_cost(gap, lifetimes, chosen) is not None:
            chosen[gap.life.value] = gap
            freed += gap.life.size
    return list(chosen.values())


def relative_cost(gap: Gap, lifetimes: Lifetimes, gone: dict[Symbol, Gap]) -> float | None:
    """Operations for each byte that giving the value up frees; None where too many lines would have to run again."""
    lines, total, count = lifetimes.graph.lines, 0, 0
    waiting, seen = [gap.life], {gap.life.value}
    while waiting:
        line = lines[waiting.pop().born]
        total += cost(line)
        count += 1
        if count > LONGEST:
            return None
        for a in line.args:
            life = lifetimes.of.get(lifetimes.root.get(a, a)) if isinstance(a, Symbol) else None
            if life and life.value not in seen and (life.last < gap.end or life.value in gone) and not life.returned:
                seen.add(life.value)
                waiting.append(life)
    return total / gap.life.size


# ---------------------------------------------------------------------------------------- writing it down
@dataclass
class Reordering:
    """Writes the lines of a graph with those of the values given up repeated where they are needed again."""

    lifetimes: Lifetimes
    gaps: list[Gap]
    lines: list[Line] = field(default_factory=list)
    copies: dict[Symbol, Symbol] = field(default_factory=dict)  # of a value computed again, its latest copy
    makers: dict[Symbol, Line] = field(default_factory=dict)
    lost: dict[Symbol, int] = field(default_factory=dict)  # of a value, from which line on it is not there
    names: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)

    def run(self) -> Graph:
        graph = self.lifetimes.graph
        self.lost = {gap.life.value: gap.start for gap in self.gaps}
        self.names = {target.name for line in graph.lines for target in line.targets}
        for i, line in enumerate(graph.lines):
            for target in line.targets:
                self.makers[target] = line
            if line.prim not in VIEWS:
                line = line._replace(args=tuple([self.there(a, i) for a in line.args]))
            self.lines.append(line)
        return drop_dead(Graph(graph.inputs, self.lines, graph.output))

    def there(self, a: Array, i: int) -> Array:
        """An argument of line i, computed again if it is not there any more."""
        if not isinstance(a, Symbol) or a not in self.makers:
            return a
        if a in self.copies:
            return self.copies[a]
        life = self.lifetimes.of.get(self.lifetimes.root.get(a, a))
        if life is None or self.is_there(life, i):
            return a
        line = self.makers[a]
        if line.prim is later:
            return self.there(line.args[0], i)
        args = [self.there(x, i) for x in line.args]
        if not any(isinstance(x, Symbol) and x.name in self.new for x in args):  # nothing keeps it from being early
            first = next((k for k, x in enumerate(args) if isinstance(x, Symbol)), None)
            if first is not None:
                args[first] = self.delayed(args[first], i)
        again = self.again(line, args)
        self.copies.update(zip(line.targets, again.targets))
        return self.copies[a]

    def again(self, line: Line, args: Sequence[Array]) -> Line:
        """The line once more."""
        targets = tuple([Symbol(t.owner, t.type, self.new_name(t.name)) for t in line.targets])
        self.lines.append(line._replace(args=tuple(args), targets=targets))
        return self.lines[-1]

    def delayed(self, a: Symbol, i: int) -> Symbol:
        """A value as it is seen when line i is due: when the last of its other arguments is known."""
        line = self.makers.get(a)
        if line is not None and line.prim is later:
            return self.delayed(line.args[0], i)
        if line is not None and line.prim in VIEWS:
            if not isinstance(line.args[0], Symbol):
                return a
            return self.again(line, [self.delayed(line.args[0], i), *line.args[1:]]).targets[0]
        trigger = self.trigger(i)
        if trigger is None:
            return a
        return self.again(Line((a,), later, (), {}, ""), [a, trigger]).targets[0]

    def trigger(self, i: int) -> Symbol | None:
        """What line i waits for: the last of its arguments that is not computed again, or else what was made just before."""
        root, of, lines = self.lifetimes.root, self.lifetimes.of, self.lifetimes.graph.lines
        lives = [of[root.get(x, x)] for x in lines[i].args if isinstance(x, Symbol) and root.get(x, x) in of]
        there = [life for life in lives if self.is_there(life, i)]
        if there:
            return max(there, key=lambda life: life.born).value
        before = (t for line in reversed(lines[:i]) if line.prim not in VIEWS for t in line.targets)
        return next((t for t in before if self.is_there(of[t], i)), None)

    def is_there(self, life: Lifetime, i: int) -> bool:
        """Whether line i finds a value where it was made."""
        return life.returned or (i <= self.lost.get(life.value, i) and i <= life.last)

    def new_name(self, name: str) -> str:
        while name in self.names:
            name += "'"
        self.names.add(name)
        self.new.add(name)
        return name
