"""The body of a loop is a graph like the one around it: what improves a graph improves bodies, too."""
from __future__ import annotations

from collections.abc import Callable

from chainrule.core.stage import Graph, Line
from chainrule.ops.loop_body import Body


def has_body(line: Line) -> bool:
    """Whether a line is a loop."""
    return isinstance(line.params.get("body"), Body)


def with_bodies(graph: Graph, better: Callable[[Graph], Graph]) -> Graph:
    """The graph with the bodies of its loops made better."""
    lines = [with_body(line, better) if has_body(line) else line for line in graph.lines]
    return graph if all(new is old for new, old in zip(lines, graph.lines)) else Graph(graph.inputs, lines, graph.output)


def with_body(line: Line, better: Callable[[Graph], Graph]) -> Line:
    body = line.params["body"]
    made = better(body)
    return line if made is body else line._replace(params={**line.params, "body": Body(made.inputs, made.lines, made.output)})
