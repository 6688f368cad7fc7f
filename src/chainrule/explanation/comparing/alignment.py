"""An alignment pairs the values of two recorded graphs that play the same part, and says which values only one graph has."""
from __future__ import annotations

from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from chainrule.core.reverse import Recorded
from chainrule.eager import EAGER

from ..record.record import Record
from ..record.values import shape_of

COMMUTATIVE = ("add", "multiply", "maximum", "minimum")
LARGEST_GAP = 250_000  # pairs of values that are weighed one against the other; beyond, only equal keys are paired
Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Key:
    """What is known of a value without its place. Its numbers do not count, but decide between pairs that fit equally well."""

    operation: str
    options: str
    name: str | None
    sources: int
    shape: tuple[int, ...]
    constants: str = field(compare=False)
    total: str = field(compare=False)


class Items:
    """The values of a record in the order of a walk from the loss backwards through the arguments, each after its arguments.

    The order depends on the structure alone, not on which of two branches was computed first.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.known = {id(x) for x in record.values}
        self.order = self.walk()
        self.keys = [self.key(x) for x in self.order]

    def walk(self) -> list[Any]:
        order, done = [], set()
        stack: list[tuple[Any, bool]] = [(self.record.loss, False)]
        while stack:
            x, ready = stack.pop()
            if ready:
                order.append(x)
            elif id(x) not in done:
                done.add(id(x))
                stack.append((x, True))
                stack += [(a, False) for a in reversed(self.arguments(x)) if id(a) in self.known]
        return order

    def arguments(self, x: Any) -> tuple[Any, ...]:
        return x.args if self.is_result(x) else ()

    def is_result(self, x: Any) -> bool:
        return isinstance(x, Recorded) and x.owner is EAGER and x.prim is not None

    def operation(self, x: Any) -> str:
        if self.is_result(x):
            return str(x.prim.name)
        return "given"

    def name(self, x: Any) -> str | None:
        """What people call it, if they call it anything."""
        return self.record.named[id(x)] if id(x) in self.record.chosen else None

    def value(self, x: Any) -> Any:
        return self.record.value(x)

    def options(self, x: Any) -> str:
        return repr(x.params) if self.is_result(x) else ""

    def key(self, x: Any) -> Key:
        sources = len(x.sources) if self.is_result(x) else 0
        value = self.value(x)
        loose = [v for a, v in zip(x.args, x.values) if id(a) not in self.known] if self.is_result(x) else []
        with np.errstate(all="ignore"):
            total = "" if isinstance(value, tuple) else f"{np.sum(value, dtype=np.float64):.4g}"
        return Key(self.operation(x), self.options(x), self.name(x), sources, shape_of(value), repr(loose), total)


def aligned(a: Items, b: Items) -> list[Pair]:
    """The pairs, in the order of the first graph.

    What the two walks begin and end with is paired as it comes. Between, the best pairs that keep the order are found; where too
    many would have to be weighed, runs of equal keys are paired first. Last come pairs that do not keep the order.
    """
    least = min(len(a.keys), len(b.keys))
    head = next((i for i in range(least) if a.keys[i] != b.keys[i]), least)
    tail = next((i for i in range(least - head) if a.keys[-1 - i] != b.keys[-1 - i]), least - head)
    ends = len(a.keys) - tail, len(b.keys) - tail
    pairs = list(zip(a.order[:head], b.order[:head])) + list(zip(a.order[ends[0]:], b.order[ends[1]:]))
    for i, j, k, n in gaps(a.keys[head:ends[0]], b.keys[head:ends[1]]):
        pairs += [(a.order[head + u], b.order[head + v]) for u, v in in_order(a.keys, b.keys, head, (i, j, k, n))]
    pairs += crossed(a, b, pairs)
    position = {id(x): i for i, x in enumerate(a.order)}
    return sorted(pairs, key=lambda pair: position[id(pair[0])])


def gaps(first: list[Key], second: list[Key]) -> list[tuple[int, int, int, int]]:
    """The stretches of both that belong together: all of it where that can be weighed, else runs and what is between them."""
    if len(first) * len(second) <= LARGEST_GAP:
        return [(0, len(first), 0, len(second))]
    return [places for _, *places in SequenceMatcher(None, first, second, autojunk=False).get_opcodes()]  # type: ignore[misc]


def likeness(x: Key, y: Key) -> float:
    """How well two values fit each other; 0 where they cannot be a pair."""
    if x.operation != y.operation:
        return 0.5 if x.sources and x.sources == y.sources and x.shape == y.shape else 0.0
    same_name = x.name is not None and x.name == y.name
    same_numbers = 0.2 * (x.constants == y.constants) + 0.1 * (x.total == y.total)
    return 2 + (x.shape == y.shape) + (x.options == y.options) + 3 * same_name + same_numbers


def in_order(a: list[Key], b: list[Key], head: int, places: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    """The best pairs that keep the order of both (Needleman and Wunsch, J. Mol. Biol. 48, 1970), with free gaps."""
    i, end, k, stop = places
    first, second = a[head + i:head + end], b[head + k:head + stop]
    if first == second or len(first) * len(second) > LARGEST_GAP:
        return list(zip(range(i, end), range(k, stop))) if first == second else []
    likenesses = [[likeness(x, y) for y in second] for x in first]
    best = [[0.0] * (len(second) + 1)]
    for row in likenesses:
        above, left = best[-1], [0.0]
        for j, fit in enumerate(row):
            left.append(max(above[j] + fit, above[j + 1], left[j]))
        best.append(left)
    pairs = []
    u, v = len(first), len(second)
    while u and v:
        fit = likenesses[u - 1][v - 1]
        if fit and best[u][v] == best[u - 1][v - 1] + fit:
            u, v = u - 1, v - 1
            pairs.append((i + u, k + v))
        elif best[u][v] == best[u - 1][v]:
            u -= 1
        else:
            v -= 1
    return pairs


def crossed(a: Items, b: Items, pairs: list[Pair]) -> list[Pair]:
    """Pairs that do not keep the order, as in x + y beside y + x: equal names or numbers, or made of paired arguments."""
    partner = {id(x): y for x, y in pairs}
    taken = {id(y) for y in partner.values()}
    given = [y for y in b.order if id(y) not in taken and not b.is_result(y)]
    results: dict[Any, list[Any]] = {}
    for y in b.order:
        if id(y) not in taken and b.is_result(y):
            results.setdefault(made_of(b, y, [id(s) for s in y.args if id(s) in b.known]), []).append(y)
    found = []
    for x in a.order:
        if id(x) in partner:
            continue
        if a.is_result(x):
            same = results.get(made_of(a, x, [id(partner.get(id(s))) for s in x.args if id(s) in a.known]), [])
        else:
            same = [y for y in given if id(y) not in taken and alike(a, b, x, y)]
        if same:
            y = same.pop(0)
            partner[id(x)] = y
            taken.add(id(y))
            found.append((x, y))
    return found


def made_of(items: Items, x: Any, arguments: list[int]) -> Any:
    swaps = items.operation(x) in COMMUTATIVE
    return items.operation(x), items.options(x), tuple(sorted(arguments) if swaps else arguments)


def alike(a: Items, b: Items, x: Any, y: Any) -> bool:
    """Whether two given values have the same name, or where one has none, the same numbers."""
    if a.name(x) and b.name(y):
        return a.name(x) == b.name(y)
    return np.array_equal(np.asarray(a.value(x)), np.asarray(b.value(y)))
