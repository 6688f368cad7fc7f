"""A step is one thing that happens while a gradient comes to be, told when everything it needs is known, and no earlier."""
from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..formulas.numbers import plain_array
from ..formulas.writing import text
from ..record.facts import Edge, Facts, Node
from .picture import MOST_SUMMANDS, headed
from .text import array_cell, edge_row, signed

Named = tuple[str, Any]  # what people call a value, and the value
PHASES = {"given": "forward", "value": "forward", "seed": "backward", "edge": "backward"}
FEW = 4  # names in a sentence


@dataclass(frozen=True, repr=False)
class Step:
    """One thing that happens: its formula, the formula with numbers put in, what it comes to, and a sentence about it.

    `kind` is "given" (all leaves and constants), "value" (an operation), "seed" or "edge". `node` is the id of the value that
    comes to be, or to which an edge leads back; `edge` is the id of the edge. `known` are the values and gradients that are
    complete with this step, by name. For a value used several times, `arrived` has what came back so far, after the names of the
    results it came from, and `owed` the names of those that still have to give back their part.
    """

    number: int
    count: int
    kind: str
    name: str
    says: str
    node: str | None = None
    edge: str | None = None
    formula: str | None = None
    numbers: str | None = None
    result: Any = None
    known: tuple[Named, ...] = ()
    arrived: tuple[Named, ...] = ()
    owed: tuple[str, ...] = ()

    @property
    def phase(self) -> str:
        return PHASES[self.kind]

    @property
    def chain(self) -> list[str]:
        """What stands before the result: the formula, and with numbers put in, where that says more than the result."""
        return [part for part in (self.formula, self.numbers) if part not in (None, plain_array(self.result))]

    @property
    def line(self) -> str:
        """The step on one line: `v2 ← v3: dL/dv3 × (v2 > 0) = 4 × 1 = 4`."""
        if self.kind == "given":
            return "given: " + ", ".join(f"{name} = {plain_array(value)}" for name, value in self.known)
        chain = [*self.chain, plain_array(self.result)]
        return f"{self.name}: {' = '.join(chain)}" if self.kind == "edge" else " = ".join([self.name, *chain])

    def text(self, width: int = 80) -> str:
        """The step in full, on lines of at most `width` characters where its numbers allow it."""
        lines = [f"Step {self.number} of {self.count}, {self.phase}: {self.name}"]
        if self.kind == "given":
            lines += [line for name, value in self.known for line in headed(f"  {name} = ", array_cell(value).split("\n"))]
        else:
            for k, part in enumerate(self.chain):
                head = "  " if k == 0 and self.kind == "edge" else "  = "
                lines += textwrap.wrap(part, width, initial_indent=head, subsequent_indent="    ", break_on_hyphens=False)
            lines += headed("  = ", array_cell(self.result).split("\n"))
        for sentence in (self.says, *self.balance()):
            lines += textwrap.wrap(sentence, width, initial_indent="  ", subsequent_indent="  ")
        return "\n".join(lines) + "\n"

    def balance(self) -> Iterable[str]:
        """For a value used several times: what has arrived, what is still owed, and the sum once it is complete."""
        if not self.arrived:
            return
        came = ", ".join(f"{plain_array(value)} from {name}" for name, value in self.arrived)
        if self.owed:
            yield f"Arrived: {came}. Still owed: from {', '.join(self.owed)}."
            return
        name, total = self.known[0]
        parts = [signed(value) if k else plain_array(value) for k, (_, value) in enumerate(self.arrived)]
        written = f"{' + '.join(parts)} = " if len(parts) <= MOST_SUMMANDS else f"the sum of {len(parts)} contributions = "
        yield f"All have arrived: {came}."
        yield f"{name} = {written}{plain_array(total)}"

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<step {self.number} of {self.count}, {self.line}>"


@dataclass(frozen=True)
class Progress:
    """What is known after a step, by id: values, gradients that are complete, and edges that gave their part."""

    values: frozenset[str]
    gradients: frozenset[str]
    edges: frozenset[str]


def progress(e: Facts, done: Sequence[Step]) -> Progress:
    """What is known once these steps are done."""
    forward, backward = ([s for s in done if s.phase == phase] for phase in ("forward", "backward"))
    return Progress(frozenset(e[name].id for s in forward for name, _ in s.known),
                    frozenset(s.node for s in backward if s.node and s.known), frozenset(s.edge for s in backward if s.edge))


def steps(e: Facts) -> tuple[Step, ...]:
    """The order in which a person watches: what is given, each operation, the seed, each edge of the sweep.

    >>> import chainrule as cr
    >>> w = cr.tensor(3.0, requires_grad=True, name="w")
    >>> for step in steps(cr.explain(2.0 * w)):
    ...     print(step.line)
    given: w = 3
    L = 2 * w = 2 * 3 = 6
    dL/dL = 1
    w ← L: dL/dL × 2 = 1 × 2 = 2
    """
    leaves, computed = ([n for n in e.nodes if (n.kind == "operation") is made] for made in (False, True))
    count = bool(leaves) + len(computed) + 1 + len(e.edges)
    told = [given(leaves, count)] if leaves else []
    for n in computed:
        told.append(value(e, n, len(told) + 1, count))
    told.append(seed(e, len(told) + 1, count))
    into = edges_into(e)
    for edge in e.edges:
        told.append(back(e, edge, into[edge.argument], len(told) + 1, count))
    return tuple(told)


def edges_into(e: Facts) -> dict[str, list[Edge]]:
    """The edges that lead back to each value, by its id, in the order of the sweep."""
    into: dict[str, list[Edge]] = {}
    for edge in e.edges:
        into.setdefault(edge.argument, []).append(edge)
    return into


def given(leaves: list[Node], count: int) -> Step:
    are = "is" if len(leaves) == 1 else "are"
    return Step(1, count, "given", "given", f"{listed([n.name for n in leaves])} {are} given.",
                known=tuple((n.name, n.value) for n in leaves))


def value(e: Facts, n: Node, number: int, count: int) -> Step:
    arguments = [e[a].name for a in dict.fromkeys(n.arguments)]
    made = f"from {listed(arguments)}, by {n.operation}" if arguments else f"by {n.operation}"
    return Step(number, count, "value", n.name, f"{n.name} is computed {made}.", n.id,
                formula=n.formula and text(n.formula), numbers=n.numbers and text(n.numbers), result=n.value,
                known=((n.name, n.value),))


def seed(e: Facts, number: int, count: int) -> Step:
    loss = e[e.loss]
    name = text(loss.gradient_name)
    return Step(number, count, "seed", name, f"The sweep starts at {loss.name}: its gradient in itself is "
                f"{plain_array(loss.gradient)}.", loss.id, result=loss.gradient, known=((name, loss.gradient),))


def back(e: Facts, edge: Edge, into: list[Edge], number: int, count: int) -> Step:
    """One edge; `into` are all that lead to the same value."""
    argument = e[edge.argument]
    _, formula, numbers, _ = edge_row(e, edge)
    came = into[:[x.id for x in into].index(edge.id) + 1]
    whole, several = len(came) == len(into), len(into) > 1
    return Step(number, count, "edge", f"{argument.name} ← {source(e, edge, into)}", sentence(e, edge), argument.id, edge.id,
                formula, numbers, edge.contribution, ((text(argument.gradient_name), argument.gradient),) if whole else (),
                tuple((source(e, x, into), x.contribution) for x in came) if several else (),
                tuple(source(e, x, into) for x in into[len(came):]))


def source(e: Facts, edge: Edge, into: list[Edge]) -> str:
    """What an edge into a value comes from; the argument is told where one result uses the value twice."""
    name = e[edge.result].name
    twice = sum(other.result == edge.result for other in into) > 1
    return f"{name} (argument {edge.position + 1})" if twice else name


def sentence(e: Facts, edge: Edge) -> str:
    result, argument = e[edge.result], e[edge.argument]
    if edge.local is None:
        return f"What arrives at {result.name} goes back to {argument.name} by the rule of {result.operation}."
    if not np.any(edge.local.value):
        return f"The local derivative is 0, so nothing of what arrives at {result.name} goes back to {argument.name}."
    summed = f" It is summed, because {result.name} used {argument.name} in several places." if e.is_summed(edge) else ""
    return f"What arrives at {result.name}, times the local derivative, goes back to {argument.name}.{summed}"


def listed(names: list[str]) -> str:
    """Names in a sentence: a, b and c."""
    if len(names) > FEW:
        return f"{', '.join(names[:FEW - 1])} and {len(names) - FEW + 1} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
