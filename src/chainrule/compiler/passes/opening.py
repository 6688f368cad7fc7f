"""Opening puts the smaller operations a gate is made of in its place, where it cannot be lowered as one."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.core.primitive import Primitive
from chainrule.core.stage import Graph, Line
from chainrule.core.type import Array, Type, typeof
from chainrule.errors import StagingError
from chainrule.ops.broadcasting import astype, broadcast_to

from .rewriting import Rewriting


class Opening(Rewriting):
    """Writes lines down as they are, but for gates that `knows` does not know: of these it writes the body."""

    __slots__ = ("knows",)
    name = "opening"

    def __init__(self, graph: Graph, knows: Callable[[Line], bool]) -> None:
        super().__init__(graph, {})
        self.knows = knows

    def write(self, line: Line) -> tuple[Array, ...]:
        if line.prim.body is None or self.knows(line):
            self.lines.append(line)
            return line.targets
        written = len(self.lines)
        try:
            out = line.prim.body(*line.args, **line.params)
        except StagingError:  # a body that looks at numbers cannot be written down
            del self.lines[written:]
            self.lines.append(line)
            return line.targets
        parts = out if isinstance(out, tuple) else (out,)
        return tuple([alike(part, target.type) for part, target in zip(parts, line.targets)])


def alike(value: Array, wanted: Type) -> Array:
    """The result of a body in the type the gate said it has."""
    t = typeof(value)
    if t.dtype != wanted.dtype:
        value = astype(value, wanted.dtype)
    return value if t.shape == wanted.shape else broadcast_to(value, shape=wanted.shape)


def open_gates(graph: Graph, knows: Callable[[Line], bool]) -> Graph:
    """The graph in operations that can be lowered."""
    gates: list[Primitive] | list[Any] = [line.prim for line in graph.lines if line.prim.body is not None]
    return Opening(graph, knows).run(graph) if gates else graph
