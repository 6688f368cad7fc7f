"""A composition writes values and gradients in the symbols of a derivation: the rules of edges, put into one another."""
from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from functools import cached_property, reduce
from typing import Any

import numpy as np

from chainrule.core.type import Type
from chainrule.ops.arithmetic import add
from chainrule.ops.broadcasting import chain

from ...formulas.formula import Call, Formula, Name, Number, number, plain, rebuilt, simplified
from ...formulas.writing import text
from ...record.facts import Edge, Facts, Node
from .folding import MOVES, Folding, operands
from .naming import Naming
from .pulled import Pulled, must_sum_up
from .repetition import arguments
from .rewriting import equivalent, fractions, mapped, names_in, rewritten
from .steps import LongSum
from .verified import holds, tolerance

MOST = 7  # operations; a gradient of more has a line of its own
MOST_NESTED = 40  # terms of one formula
MOST_SHARED = 1  # and one that several edges take further


class Composition:
    """The formulas of the forward values that are kept, and of the gradients that are shown; known are all their arrays."""

    def __init__(self, e: Facts, folding: Folding, naming: Naming, writable: Set[str]) -> None:
        self.e, self.folding, self.naming, self.writable = e, folding, naming, writable
        self.repetition = folding.repetition
        self.most = tolerance(e)
        self.arriving: dict[str, list[Edge]] = {}
        self.uses: dict[str, int] = {}  # how often a gradient is used further on
        for edge in e.edges:
            self.arriving.setdefault(edge.argument, []).append(edge)
            used = sum(x.bar is not None for x in names_in(edge.rule)) if edge.rule is not None else 1
            self.uses[edge.result] = self.uses.get(edge.result, 0) + used
        self.shown = {self.repetition.role(n.id) for n in e.nodes if self.always_shown(n)}
        self.folded: dict[str, Formula] = {}
        self.gradients: dict[str, Formula] = {}
        self.too_long: list[Node] = []  # gradients that want a line, while the value has none
        self.terms: dict[str, list[tuple[Edge, Formula]]] = {}
        self.jacobians: dict[str, Pulled] = {}
        for n in reversed(e.nodes):
            if n.gradient is not None and not isinstance(n.value, tuple):
                self.gradients[n.id] = self.gradient(n)

    @cached_property
    def known(self) -> dict[str, Any]:
        """All arrays by the names of their symbols."""
        arrays: dict[str, Any] = {}
        for n in self.e.nodes:
            arrays[self.naming.of(n).name] = n.value
            if n.gradient is not None:
                arrays.setdefault(self.naming.gradient(n).name, n.gradient)
        for (_, name), role in self.repetition.initial.items():
            arrays[self.naming.in_step(role, 0).name] = self.e[name].value
        return arrays

    # ---------------------------------------------------------------- values
    def value(self, n: Node, user: Node | None = None) -> Formula:
        """A value as a formula: its symbol, or what it is made of, where it has no line of its own."""
        role = user and self.repetition.initial.get((user.id, n.name))
        if role:
            return self.naming.in_step(role, 0)
        if self.folding.kept(n):
            return self.naming.of(n)
        if n.id not in self.folded:
            self.folded[n.id] = self.made(n)
        return self.folded[n.id]

    def made(self, n: Node) -> Formula:
        """How a value is made, from the values that have lines."""
        assert isinstance(n.formula, Call)
        call = replace(n.formula, args=tuple(a and mapped(a, lambda x: self.value(self.e[x.name], n)) for a in n.formula.args))
        return simplified(call) if n.operation in MOVES or n.operation == "add" else call

    # ---------------------------------------------------------------- gradients
    def always_shown(self, n: Node) -> bool:
        """Whether the gradient in a value has a line of its own, however short it is."""
        if n.gradient is None or isinstance(n.value, tuple) or n.id == self.e[self.e.loss].id or not self.folding.kept(n):
            return False
        return (n.kind != "operation" or n.name in self.e.gradients or self.folding.is_preactivation(n) or n.shape == () or
                self.naming.is_delta(n) or n.id in self.folding.opaque or len(self.arriving.get(n.id, ())) > 1)

    def is_shown(self, n: Node) -> bool:
        return self.repetition.role(n.id) in self.shown

    def arrival(self, n: Node) -> Formula:
        """The gradient in a value as what comes before puts it in: its symbol, or its formula."""
        if n.id == self.e[self.e.loss].id:
            return number(np.ones(()))
        return self.naming.gradient(n) if self.is_shown(n) else self.gradients[n.id]

    def gradient(self, n: Node) -> Formula:
        """The sum of what comes along the edges; in a lecturer's words, if these say the same on the values at hand."""
        if n.id == self.e[self.e.loss].id:
            return number(np.ones(n.shape))
        edges = self.arriving.get(n.id, ())
        terms = [self.term(edge) for edge in edges]
        exact = total(n, terms)
        worded = [rewritten(self.worded(edge), self.known) for edge in edges]
        found = rewritten(total(n, worded), self.known)
        if text(found) != text(exact) and not holds(found, n.gradient, self.known, self.most):
            worded, found = terms, exact
        self.terms[n.id] = list(zip(edges, worded))
        if not self.is_shown(n) and found.size > (MOST_SHARED if self.uses.get(n.id, 0) > 1 else MOST):
            self.shown.add(self.repetition.role(n.id))
            if not self.folding.kept(n):
                self.too_long.append(n)
        return found

    def term(self, edge: Edge) -> Formula:
        """What comes along an edge, as its rule says it."""
        if edge.rule is None or edge.id not in self.writable:
            return self.pulled(edge)
        return rebuilt(mapped(edge.rule, lambda x: self.meant(edge, x)))

    def worded(self, edge: Edge) -> Formula:
        """The same with the slope that a lecturer writes."""
        result, argument = self.e[edge.result], self.e[edge.argument]
        slope = self.slope(result, argument) if edge.local is not None and result.shape in ((), argument.shape) else None
        if slope is None:
            return self.term(edge)
        ends = {"y": result, "x": argument}
        local = mapped(slope, lambda x: self.value(ends[x.name], result))
        return rebuilt(Call(argument.shape, chain, (self.arrival(result), local), {}))

    def slope(self, result: Node, argument: Node) -> Formula | None:
        """The slope of an operation of one argument as lecturers write it, if they write it in another way."""
        if len(list(operands(self.e, result))) != 1:
            return None
        return equivalent(result.operation or "", *(Type(n.shape, np.dtype(n.dtype)) for n in (result, argument)))

    def meant(self, edge: Edge, x: Name) -> Formula:
        """What a name in the rule of an edge stands for: a gradient, or a value."""
        result = self.e[edge.result]
        if x.bar is not None:
            return self.arrival(result)
        return self.value(self.e[x.name], result)

    def pulled(self, edge: Edge) -> Formula:
        """What comes along an edge whose rule is not written: checked against the sum of its terms, once."""
        if edge.id not in self.jacobians:
            self.jacobians[edge.id] = self.pulled_back(edge)
            must_sum_up(self.e, edge, self.jacobians[edge.id], self.most)
        return self.jacobians[edge.id]

    def pulled_back(self, edge: Edge) -> Pulled:
        result, argument = self.e[edge.result], self.e[edge.argument]
        outputs = [n for n in self.folding.users.get(result.id, ()) if n.operation == "pick" and n.gradient is not None] if (
            isinstance(result.value, tuple)) else [result]
        return Pulled(argument.shape, tuple(map(self.naming.of, outputs)), self.naming.of(argument),
                      tuple(self.naming.gradient(n) for n in outputs), edge.contribution)

    @cached_property
    def counts(self) -> set[int]:
        """What the computation divides by."""
        means = [n for n in self.folding.order if n.operation == "mean"]
        shares = {np.size(next(operands(self.e, n)).value) / max(1, np.size(n.value)) for n in means}
        return {int(m) for m in {*self.typed, *shares} if m > 1 and m == int(m)}

    @cached_property
    def typed(self) -> set[float]:
        """The plain numbers in the program."""
        return {float(a.value) for n in self.folding.order for a in arguments(n) if plain(a) and np.isrealobj(a.value)}

    def finished(self, formula: Formula) -> Formula:
        """The formula with its fractions: 1/32, where the program divides by 32, and not 0.03125."""
        return fractions(formula, self.counts, self.typed)


def total(n: Node, terms: Sequence[Formula]) -> Formula:
    """The sum of terms; 0 where there are none."""
    if len(terms) > MOST_NESTED:
        return LongSum(n.shape, tuple(terms))
    return reduce(lambda one, other: simplified(Call(n.shape, add, (one, other), {})), terms, Number(n.shape, 0))
