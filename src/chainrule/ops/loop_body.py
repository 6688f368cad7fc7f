"""A loop's body is the program of one step, staged once; the loop runs it on what the last step left, and on the next inputs."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from chainrule.core.stage import Graph, Line, Symbol, look
from chainrule.core.type import Array

from .broadcasting import broadcast_to


@dataclass(eq=False, repr=False)
class Body(Graph):
    """The program of one step: inputs and outputs are flat; one body is equal to itself alone."""

    def __repr__(self) -> str:
        return str(self).replace("\n", "\n    ")


class Loop(NamedTuple):
    """A call of `scan`: the body, and the options that say what its arguments are.

    The arguments are `carries` values to begin with, `scanned` arrays with a row for each step, and values that every step
    captures; the inputs of the body stand in the same order. Its outputs are the carries of the next step, then rows to keep.
    """

    body: Body
    args: tuple[Array, ...]
    length: int
    carries: int
    scanned: int
    reverse: bool

    @property
    def params(self) -> dict[str, Any]:
        return {"body": self.body, "length": self.length, "carries": self.carries, "scanned": self.scanned,
                "reverse": self.reverse}

    @property
    def constants(self) -> dict[Symbol, Array]:
        """The inputs of the body that are the same in every step, and their values."""
        varying = self.carries + self.scanned
        return dict(zip(self.body.inputs[varying:], self.args[varying:]))


def symbols(values: Iterable[Any]) -> list[Symbol]:
    """The symbols among arguments or outputs."""
    return [a for a in values if isinstance(a, Symbol)]


def needed(lines: Sequence[Line], wanted: Iterable[Any]) -> tuple[list[Line], set[Symbol]]:
    """The lines that `wanted` values depend on, in order, and every symbol that these read."""
    read, kept = set(symbols(wanted)), []
    for line in reversed(lines):
        if any(t in read for t in line.targets):
            kept.append(line)
            read.update(symbols(line.args))
    return kept[::-1], read


def evaluated(line: Line, known: dict[Symbol, Array]) -> dict[Symbol, Array]:
    """The values of a line's targets, where those of its arguments are known."""
    out = line.prim(*(look(a, known) for a in line.args), **line.params)
    return dict(zip(line.targets, out if isinstance(out, tuple) else (out,)))


def settled(loop: Loop) -> Loop:
    """The loop without lines that nothing needs, and with what is the same in every step computed before it.

    Repeating an array is left where it is: it costs nothing in a step, and memory before it.
    """
    body, known = loop.body, loop.constants
    lines = []
    for line in needed(body.lines, body.output)[0]:
        if line.prim is not broadcast_to and all(a in known for a in symbols(line.args)):
            known |= evaluated(line, known)
        else:
            lines.append(line)
    read = needed(lines, body.output)[1]
    begin, end = loop.carries, loop.carries + loop.scanned
    rows = [(s, x) for s, x in zip(body.inputs[begin:end], loop.args[begin:end]) if s in read]
    captured = [(s, x) for s, x in known.items() if s in read]
    inputs = [*body.inputs[:begin], *(s for s, _ in rows), *(s for s, _ in captured)]
    args = (*loop.args[:begin], *(x for _, x in rows), *(x for _, x in captured))
    return loop._replace(body=Body(inputs, lines, body.output), args=args, scanned=len(rows))


def pruned(line: Line, used: Collection[Symbol]) -> Line:
    """A line of `scan` without the results outside `used`, and without what the body computes for them alone.

    A carry stays where its last value is used, or where a step needs it for something that is. Loops inside the body are
    pruned too. The line itself comes back where everything is used.
    """
    loop = Loop(args=line.args, **line.params)
    body, n = loop.body, loop.carries
    rows = [i for i in range(n, len(body.output)) if line.targets[i] in used]
    carries = [i for i in range(n) if line.targets[i] in used]
    while True:
        lines, read = needed(body.lines, [body.output[i] for i in (*carries, *rows)])
        live = [i for i in range(n) if i in carries or body.inputs[i] in read]
        if live == carries:
            break
        carries = live
    kept = [body.output[i] for i in (*carries, *rows)]
    lines = [pruned(inner, read) if isinstance(inner.params.get("body"), Body) else inner for inner in lines]
    read = needed(lines, kept)[1]
    inputs = [i for i in range(len(body.inputs)) if (i in carries if i < n else body.inputs[i] in read)]
    if len(kept) == len(body.output) and len(inputs) == len(body.inputs) and len(lines) == len(body.lines):
        return line
    small = loop._replace(
        body=Body([body.inputs[i] for i in inputs], lines, tuple(kept)), args=tuple(line.args[i] for i in inputs),
        carries=len(carries), scanned=sum(n <= i < n + loop.scanned for i in inputs))
    return line._replace(targets=tuple(line.targets[i] for i in (*carries, *rows)), args=small.args, params=small.params)
