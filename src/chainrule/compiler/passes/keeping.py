"""What is kept from the forward to the backward pass need not be kept twice: a question is asked of what is there anyway."""
from __future__ import annotations

from chainrule.core.stage import Graph, Line, Symbol
from chainrule.ops.activation import relu
from chainrule.ops.comparison import greater

from .costs import TERMS
from .lifetimes import Lifetimes


def asked_of_kept(graph: Graph) -> Graph:
    """The graph that asks of a rectified value whether it is positive, where products keep it nearly as long as the answer."""
    rectified = {line.args[0]: line.targets[0] for line in graph.lines if line.prim is relu}
    if not rectified:
        return graph
    of = Lifetimes(graph).of

    def asked(i: int, line: Line) -> Line:
        part = rectified.get(line.args[0]) if line.prim is greater and isinstance(line.args[0], Symbol) else None
        if part is None or type(line.args[1]) not in (int, float) or line.args[1] != 0 or of[part].born > i:
            return line
        life = of[part]
        until = max([u for u in life.uses if graph.lines[u].prim.name in TERMS], default=life.born)
        cheap = (i - until) * part.type.dtype.itemsize <= (i - life.born) * line.targets[0].type.dtype.itemsize
        return line._replace(args=(part, line.args[1])) if cheap else line
    return Graph(graph.inputs, [asked(i, line) for i, line in enumerate(graph.lines)], graph.output)
