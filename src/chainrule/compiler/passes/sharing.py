"""Sharing computes once what is asked for twice: lines are pure, so those with equal keys have equal results."""
from __future__ import annotations

from chainrule.core.stage import Graph, Line, Symbol

from .keys import Key, Keys


def share(graph: Graph) -> Graph:
    """The graph with the first of equal lines in place of the others."""
    keys = Keys()
    seen: dict[Key, Line] = {}
    instead: dict[Symbol, Symbol] = {}
    lines = []
    for line in graph.lines:
        if instead and any(isinstance(a, Symbol) and a in instead for a in line.args):
            line = line._replace(args=tuple([instead.get(a, a) if isinstance(a, Symbol) else a for a in line.args]))
        first = seen.setdefault(keys.of_line(line), line)
        if first is line:
            lines.append(line)
        else:
            instead.update(zip(line.targets, first.targets))
    if not instead:
        return graph
    return Graph(graph.inputs, lines, tuple(instead.get(a, a) if isinstance(a, Symbol) else a for a in graph.output))
