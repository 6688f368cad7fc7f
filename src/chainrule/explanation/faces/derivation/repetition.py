"""A repetition is a stretch of the computation made of the same operations again and again, such as the steps of a loop."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...formulas.formula import Call, Formula, Name, Number
from ...record.facts import Facts, Node

LEAST_STEPS, LEAST_NODES = 3, 24  # a shorter stretch is written out
LONGEST_STEP = 600  # operations


@dataclass(frozen=True)
class Place:
    """Where a value stands in a repetition: in which step, from 1 on, and as what. A role is the id of the value that has it
    first; what is carried into the first step is in step 0."""

    step: int
    role: str


@dataclass(frozen=True)
class Repetition:
    """`steps` many steps. `places` are by id; `initial` says what a value used in the first step stands for there: by the id of
    its user and its own name, the role it has in step 0."""

    steps: int = 0
    places: dict[str, Place] = field(default_factory=dict)
    initial: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def carried(self) -> set[str]:
        """The roles that go from one step into the next."""
        return set(self.initial.values())

    def role(self, node: str) -> str:
        """The value that stands for this one in all steps."""
        place = self.places.get(node)
        return place.role if place else node


def repetition(e: Facts) -> Repetition:
    """The repetition that covers most of a computation; one of no steps where nothing repeats."""
    order = [n for n in e.nodes if n.kind == "operation" and not is_picked(n)]
    for start, period, length in candidates(signatures(order)):
        steps = length // period
        found = [Matching(e, [order[first + k * period:first + (k + 1) * period] for k in range(steps)]).matched()
                 for first in range(start, start + length - steps * period + 1)]
        fitting = [x for x in found if x is not None]
        if fitting:
            return min(fitting, key=lambda x: len(x.carried))
    return Repetition()


def is_picked(n: Node) -> bool:
    """Whether a value is one slice of an array, as steps of a loop take them; their numbers differ, so they repeat nothing."""
    return n.operation == "part" and any(isinstance(k, int) for k in n.options["key"])


def signatures(order: Sequence[Node]) -> np.ndarray:
    """A number for each operation, the same where operation, options, shape and plain arguments are."""
    seen: dict[object, int] = {}
    keys = ((n.operation, repr(n.options), n.shape, tuple(plain_said(a) for a in arguments(n))) for n in order)
    return np.array([seen.setdefault(key, len(seen)) for key in keys])


def plain_said(a: Formula | None) -> str:
    return repr(a.value) if isinstance(a, Number) else str(a is None)


def arguments(n: Node) -> tuple[Formula | None, ...]:
    return n.formula.args if isinstance(n.formula, Call) else ()


def candidates(keys: np.ndarray) -> list[tuple[int, int, int]]:
    """Start, length of a step, and length of the stretches that repeat, those that cover most first."""
    found = []
    for period in range(1, min(len(keys) // LEAST_STEPS, LONGEST_STEP) + 1):
        same = np.concatenate([[False], keys[:-period] == keys[period:], [False]])
        edges = np.flatnonzero(np.diff(same.astype(int)))
        for begin, end in zip(edges[::2], edges[1::2]):
            length = int(end - begin) + period
            if length >= max(LEAST_STEPS * period, LEAST_NODES):
                found.append((int(begin), period, length))
    return sorted(found, key=lambda c: (c[1] - c[2], c[1]))[:5]


class Matching:
    """Blocks of the same operations, compared argument by argument: do they use each other in the same way?"""

    def __init__(self, e: Facts, blocks: Sequence[Sequence[Node]]) -> None:
        self.e, self.blocks = e, blocks
        self.places = {n.id: Place(k + 1, first.id) for k, block in enumerate(blocks) for n, first in zip(block, blocks[0])}
        self.initial: dict[tuple[str, str], str] = {}

    def matched(self) -> Repetition | None:
        used = [[list(self.used(n)) for n in block] for block in self.blocks]
        for row, nodes in enumerate(zip(*self.blocks)):
            for column in zip(*(block[row] for block in used)):
                if not self.agree(nodes, column):
                    return None
        return Repetition(len(self.blocks), self.places, self.initial)

    def used(self, n: Node) -> Iterator[Node]:
        return (self.e[a.name] for a in arguments(n) if isinstance(a, Name))

    def agree(self, nodes: Sequence[Node], column: Sequence[Node]) -> bool:
        """Whether an argument is, in all steps, the same value, or has the same role in this step or in the one before."""
        if len({a.id for a in column}) == 1:
            return column[0].id not in self.places
        inside = [self.places.get(a.id) for a in column]
        if inside[1] is None or inside[1].step == 0:
            return self.of_each_step(column)
        role = inside[1].role
        behind = {k + 1 - place.step if place and place.role == role else None for k, place in enumerate(inside) if k}
        if behind == {0}:
            return inside[0] is not None and inside[0] == Place(1, role)
        if behind != {1} or (inside[0] is not None and inside[0].step) or column[0].shape != self.e[role].shape:
            return False
        self.initial[nodes[0].id, column[0].name] = role
        return True

    def of_each_step(self, column: Sequence[Node]) -> bool:
        """Whether each step has its own value there, which no other step uses; if so, these values have a role, too."""
        told = [self.places.get(a.id) for a in column]
        if len({a.id for a in column}) < len(column):
            return False
        if not any(told):
            self.places |= {a.id: Place(k + 1, column[0].id) for k, a in enumerate(column)}
            return True
        return told == [Place(k + 1, column[0].id) for k in range(len(column))]
