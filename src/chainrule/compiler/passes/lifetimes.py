"""A lifetime is the stretch of lines over which a value has to be kept: from the line that makes it to the last that uses it."""
from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

from chainrule.core.primitive import Primitive
from chainrule.core.stage import Graph, Line, Symbol
from chainrule.ops.broadcasting import broadcast_to, reshape, sum
from chainrule.ops.indexing import part
from chainrule.ops.movement import permute_dims
from chainrule.ops.reduction import all, any, max, min, prod
from chainrule.ops.statistics import mean

from .broadcasts import ELEMENTWISE
from .lateness import later

VIEWS = frozenset({reshape, permute_dims, broadcast_to, part, later})
"""Operations whose result is the argument, looked at in another way."""

STREAMING = frozenset({*ELEMENTWISE, sum, mean, max, min, prod, all, any})
"""Operations that take element after element: what only they need, right after it was made, is never written to memory."""

NEAR = 12
"""So many lines later is right after."""


@dataclass
class Lifetime:
    """Of one value: the line that makes it, and those that use it, itself or as a view."""

    value: Symbol
    born: int
    uses: list[int] = field(default_factory=list)
    returned: bool = False
    size: int = 0  # bytes; none where the value is never written to memory

    @property
    def last(self) -> int:
        return self.uses[-1] if self.uses else self.born


class Lifetimes:
    """The lifetimes of all values that lines make. Inputs and results belong to the caller, and count as nothing."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.of: dict[Symbol, Lifetime] = {}
        self.root: dict[Symbol, Symbol] = {}  # of a view, what it looks at
        for i, line in enumerate(graph.lines):
            self.enter(i, line)
        for a in graph.output:
            if isinstance(a, Symbol) and (life := self.of.get(self.root.get(a, a))):
                life.returned = True
        for life in self.of.values():
            life.size = self.bytes(life)

    def enter(self, i: int, line: Line) -> None:
        args = [self.root.get(a, a) for a in line.args if isinstance(a, Symbol)]
        if line.prim in VIEWS and args:
            self.root[line.targets[0]] = args[0]
            return
        for target in line.targets:
            self.of[target] = Lifetime(target, i)
        for a in args:
            life = self.of.get(a)
            if life and (not life.uses or life.uses[-1] != i):
                life.uses.append(i)

    def bytes(self, life: Lifetime) -> int:
        streamed = len(life.uses) == 1 and life.last - life.born <= NEAR and self.prim(life.born) in STREAMING \
            and self.prim(life.last) in STREAMING
        t = life.value.type
        return 0 if streamed or life.returned else t.size * t.dtype.itemsize

    def prim(self, i: int) -> Primitive:
        return self.graph.lines[i].prim

    def totals(self) -> list[int]:
        """The bytes in use while each line runs."""
        change = [0] * (len(self.graph.lines) + 1)
        for life in self.of.values():
            change[life.born] += life.size
            change[life.last + 1] -= life.size
        return list(accumulate(change))[:-1]
