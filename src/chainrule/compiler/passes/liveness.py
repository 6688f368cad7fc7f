"""A line is live if an output depends on it; the others are dropped, and so is what loops compute for them."""
from __future__ import annotations

from chainrule.core.stage import Graph, Symbol
from chainrule.ops.loop_body import pruned

from .bodies import has_body


def drop_dead(graph: Graph) -> Graph:
    """The graph without the lines that no output needs."""
    needed = {a for a in graph.output if isinstance(a, Symbol)}
    lines = []
    for line in reversed(graph.lines):
        if not needed.isdisjoint(line.targets):
            lines.append(pruned(line, needed) if has_body(line) else line)
            needed.update([a for a in lines[-1].args if isinstance(a, Symbol)])
    lines.reverse()
    same = len(lines) == len(graph.lines) and all(new is old for new, old in zip(lines, graph.lines))
    return graph if same else Graph(graph.inputs, lines, graph.output)
