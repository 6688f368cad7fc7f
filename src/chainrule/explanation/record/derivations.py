"""A derivation is the gradient of one value as one formula, composed from the rules along the edges."""
from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.ops.arithmetic import add

from ..formulas.formula import Call, Formula, Name, is_transpose, number, rebuilt, simplified
from .facts import Edge
from .values import shape_of, value_of

if TYPE_CHECKING:
    from .record import Record

SHORT = 9  # operations; a derivation beyond stops at the gradients of the values before
SHORT_ARRAYS = 3
INLINED = 3  # operations; a value without a name is written out up to here


class Derivations:
    """The gradient of each value: down to the loss where that is short, else from the named values before."""

    def __init__(self, record: Record, edges: Sequence[Edge]) -> None:
        self.record = record
        self.arriving: dict[str, list[Edge]] = {}
        for e in edges:
            self.arriving.setdefault(e.argument, []).append(e)
        self.by_id = {record.ids[id(x)]: x for x in record.values}
        self.inlined = self.short_values()
        self.made: dict[str, Formula] = {}
        self.near: dict[str, Formula] = {}  # from the gradients right above

    def short_values(self) -> dict[str, Formula]:
        """Values nobody named, as their formulas, where these are short."""
        found: dict[str, Formula] = {}
        for x in self.record.order:
            formula = self.record.formula(x)
            if id(x) in self.record.chosen or formula is None or x is self.record.loss:
                continue
            whole = rebuilt(formula.put(found))
            if whole.size <= (INLINED if whole.shape == () else 1) or is_transpose(formula):
                found[self.record.named[id(x)]] = whole
        return found

    def of(self, leaves: Mapping[str, Any]) -> dict[str, Formula]:
        for x in reversed(self.record.order):
            if x in self.record.active:
                self.made[self.record.ids[id(x)]] = self.derived(x)
        return {name: self.made[self.record.ids[id(x)]] for name, x in leaves.items()}

    def derived(self, x: Any) -> Formula:
        """The sum over the edges of their rules, with what is known of the gradients arriving put in, as far as it is short."""
        if x is self.record.loss:
            return number(np.ones(self.record.loss.shape))
        edges = self.arriving.get(self.record.ids[id(x)], [])
        most = 2 * (SHORT if shape_of(value_of(x)) == () else SHORT_ARRAYS)
        if not 0 < len(edges) <= most or any(e.rule is None for e in edges):
            return self.record.gradient_name(x)
        whole, last = self.sum_of(edges, self.upstream), self.sum_of(edges, self.arrival)
        self.near[self.record.ids[id(x)]] = last
        return whole if whole.size <= most else last if last.size <= most else self.record.gradient_name(x)

    def sum_of(self, edges: Sequence[Edge], upstream: Callable[[Edge], Formula]) -> Formula:
        terms = [rebuilt(e.rule.put(ChainMap({self.arrival(e).name: upstream(e)}, self.inlined)))
                 for e in edges if e.rule is not None]
        return reduce(lambda total, term: simplified(Call(term.shape, add, (total, term), {})), terms)

    def arrival(self, e: Edge) -> Name:
        return self.record.gradient_name(self.by_id[e.result])

    def upstream(self, e: Edge) -> Formula:
        """The gradient arriving: worked out where it is short, else by its name."""
        x = self.by_id[e.result]
        if self.record.named[id(x)] in self.record.symbols:
            return self.arrival(e)
        most = SHORT if shape_of(value_of(x)) == () else SHORT_ARRAYS
        known = (self.made[e.result], self.near.get(e.result, self.made[e.result]), self.arrival(e))
        return next(f for f in known if f.size <= most)
