"""Settling a loop takes out of its steps what is the same in all of them: lines, carries that never change, equal rows."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule.core.stage import Graph, Line, Symbol
from chainrule.core.type import Array, typeof
from chainrule.ops.broadcasting import broadcast_to, reshape
from chainrule.ops.loop_body import Body, Loop, settled

from .bodies import has_body
from .rewriting import Rewriting


class Settling(Rewriting):
    """Writes lines down as they are, but for loops, which it settles."""

    __slots__ = ()
    name = "settling"

    def write(self, line: Line) -> tuple[Array, ...]:
        if not has_body(line):
            return super().write(line)
        loop = Loop(args=line.args, **line.params)
        fixed = [s is y for s, y in zip(loop.body.inputs[:loop.carries], loop.body.output)]
        loop = settled(with_constants(merged(self.captured(loop, fixed))))
        targets = [t for i, t in enumerate(line.targets) if i >= len(fixed) or not fixed[i]]
        if targets:
            self.lines.append(line._replace(targets=tuple(targets), args=loop.args, params=loop.params))
        return tuple([line.args[i] if i < len(fixed) and fixed[i] else t for i, t in enumerate(line.targets)])

    def captured(self, loop: Loop, fixed: list[bool]) -> Loop:
        """The loop with fixed carries, and rows that repeat each other, captured."""
        rows = [self.repeated(x) for x in loop.args[loop.carries:loop.carries + loop.scanned]]
        inputs = list(zip(loop.body.inputs, loop.args))
        carries, end = loop.carries, loop.carries + loop.scanned
        taken = [pair for pair, still in zip(inputs, fixed) if still]
        taken += [(s, row) for (s, _), row in zip(inputs[carries:end], rows) if row is not None]
        changing = [pair for pair, still in zip(inputs, fixed) if not still]
        moving = [pair for pair, row in zip(inputs[carries:end], rows) if row is None]
        output = tuple(y for i, y in enumerate(loop.body.output) if i >= carries or not fixed[i])
        symbols, args = zip(*changing, *moving, *inputs[end:], *taken) if inputs else ((), ())
        return loop._replace(body=Body(list(symbols), loop.body.lines, output), args=args, carries=len(changing),
                             scanned=len(moving))

    def repeated(self, x: Array) -> Array:
        """The row of an array of equal rows, where it is known to be one; else None."""
        line = self.made.get(x) if isinstance(x, Symbol) else None
        if line is None or line.prim is not broadcast_to:
            return None
        t, (source,) = typeof(x), line.args
        shape = typeof(source).shape
        if len(shape) == t.ndim and shape[0] != 1:
            return None
        row = reshape(source, shape=shape[1:]) if len(shape) == t.ndim else source
        return row if typeof(row).shape == t.shape[1:] else broadcast_to(row, shape=t.shape[1:])


def merged(loop: Loop) -> Loop:
    """The loop with one input for each array; carries are left alone."""
    first: dict[tuple[int, bool], Symbol] = {}
    instead: dict[Symbol, Symbol] = {}
    kept = []
    for i, (symbol, x) in enumerate(zip(loop.body.inputs, loop.args)):
        key = (id(x), i < loop.carries + loop.scanned)
        if i < loop.carries or first.setdefault(key, symbol) is symbol:
            kept.append(i)
        else:
            instead[symbol] = first[key]
    if not instead:
        return loop
    body = loop.body
    lines = [line._replace(args=renamed(line.args, instead)) for line in body.lines]
    return loop._replace(
        body=Body([body.inputs[i] for i in kept], lines, renamed(body.output, instead)), args=tuple(loop.args[i] for i in kept),
        scanned=sum(loop.carries <= i < loop.carries + loop.scanned for i in kept))


def with_constants(loop: Loop) -> Loop:
    """The loop with captured constants in its body."""
    begin = loop.carries + loop.scanned
    known = {s: x for s, x in zip(loop.body.inputs[begin:], loop.args[begin:]) if not isinstance(x, Symbol)}
    if not known:
        return loop
    body = loop.body
    kept = [i for i, s in enumerate(body.inputs) if s not in known]
    lines = [line._replace(args=renamed(line.args, known)) for line in body.lines]
    return loop._replace(body=Body([body.inputs[i] for i in kept], lines, renamed(body.output, known)),
                         args=tuple(loop.args[i] for i in kept))


def renamed(values: Iterable[Array], instead: dict[Symbol, Any]) -> tuple[Array, ...]:
    return tuple([instead.get(a, a) if isinstance(a, Symbol) else a for a in values])


def settle(graph: Graph) -> Graph:
    """The graph, in whose loops each step does only what changes from step to step."""
    return Settling(graph, {}).run(graph) if any(map(has_body, graph.lines)) else graph
