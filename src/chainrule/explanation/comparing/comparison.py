"""A comparison puts two recorded losses side by side, and finds the first value and the first edge in which they differ."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.reverse import Recorded
from chainrule.core.type import is_float

from ..faces.answer import Answer
from ..faces.answers_data import comparison_json
from ..record.record import Record
from ..record.values import plain, shape_of
from .alignment import Items, Pair, aligned
from .comparison_html import drawn
from .side_by_side import page

PRECISE = {8: 1e-9, 4: 1e-4, 2: 1e-2}
"""By the size of the dtype: what is closer than this, relative to the largest number of the array, counts as the same."""
ROUNDING = 1e-5
"""Of the tolerance: how far a sum that cancels may be from zero, relative to its terms."""
CANCELS = ("add", "subtract", "sum", "mean", "matmul", "linear", "einsum")


@dataclass(frozen=True)
class Difference:
    """How far two arrays are apart: the largest absolute difference, its index, and the two numbers there.

    `relative` is that difference over the larger of the two numbers. Where the shapes differ, there are no numbers to compare:
    `index` is None and `absolute` infinite.
    """

    absolute: float
    relative: float
    index: tuple[int, ...] | None
    a: Any
    b: Any
    differs: bool


@dataclass(frozen=True)
class Lone:
    """A value that only one of the two graphs has."""

    name: str
    operation: str
    shape: tuple[int, ...]
    source: str | None


@dataclass(frozen=True)
class Row:
    """A value of the first graph beside its partner in the second.

    `value` and `gradient` are the differences (None where there is nothing to compare), `why` what of the operation itself is
    not the same: another operation, other options, another number.
    """

    a: Lone
    b: Lone
    value: Difference | None
    gradient: Difference | None
    why: tuple[str, ...]

    @property
    def value_differs(self) -> bool:
        return self.value is not None and self.value.differs


@dataclass(frozen=True)
class EdgePair:
    """An edge of the first graph beside its partner: from a result back to one of its arguments.

    `contribution` is None where only one of them has the edge. `cause` is "values" (the forward values differ already),
    "local" (the values are the same, the local derivative is not), "above" (only what arrives from above differs), or
    "missing" (one graph has no such edge: the value was cut off).
    """

    result: Row
    argument: str
    position: int
    upstream: Difference | None
    contribution: Difference | None
    cause: str
    note: str = ""


@dataclass(frozen=True, repr=False)
class Comparison(Answer):
    """Two recorded losses side by side.

    `first_value` is the first pair in the order of the computation whose values differ, `first_edge` the first edge in the order
    of the sweep whose contributions differ; None where none does. `only_a` and `only_b` are the values that one graph alone
    has, `rows` all pairs. `same` says that nothing differs and nothing is left over.
    """

    rows: tuple[Row, ...]
    only_a: tuple[Lone, ...]
    only_b: tuple[Lone, ...]
    first_value: Row | None
    first_edge: EdgePair | None

    @property
    def same(self) -> bool:
        different = any(r.why or (r.gradient is not None and r.gradient.differs) for r in self.rows)
        return not (different or self.first_value or self.first_edge or self.only_a or self.only_b)

    def text(self, width: int = 80) -> str:
        """What differs first, what only one has, and all that differs, for a terminal `width` columns wide."""
        return page(self, width)

    def json(self) -> str:
        """All facts as JSON; docs/json.md says what each entry means."""
        return comparison_json(self)

    def html(self) -> str:
        """The same as the text, for a notebook or a page; in the titles of the numbers are all their digits."""
        return drawn(self)

    def __repr__(self) -> str:
        return f"<comparison: {'the same' if self.same else 'they differ'}, {len(self.rows)} values paired; print it>"


class Comparing:
    """The work of one comparison."""

    def __init__(self, a: Record, b: Record, tolerance: float | None) -> None:
        self.tolerance = tolerance
        self.a, self.b = Items(a), Items(b)
        self.pairs = aligned(self.a, self.b)
        self.partner = {id(x): y for x, y in self.pairs}
        self.arriving: dict[int, list[Any]] = {}
        for x in a.order:
            for s in x.sources:
                if s is not None and x in a.swept and not isinstance(x.value, tuple):
                    self.arriving.setdefault(id(s), []).append(plain(a.swept[x], x))

    def comparison(self) -> Comparison:
        rows = {id(x): self.row(x, y) for x, y in self.pairs}
        paired = {id(y) for _, y in self.pairs}
        return Comparison(
            tuple(rows.values()), tuple(lone(self.a, x) for x in self.a.order if id(x) not in self.partner),
            tuple(lone(self.b, y) for y in self.b.order if id(y) not in paired),
            next((r for r in rows.values() if r.value_differs), None), next(self.edges(rows), None))

    def difference(self, x: Any, y: Any, beside: Any = ()) -> Difference:
        """How far two arrays are apart, at the place where they are furthest.

        What is as small as the rounding of the numbers `beside`, from which they were summed, is no difference.
        """
        a, b = np.asarray(x), np.asarray(y)
        if a.shape != b.shape:
            return Difference(np.inf, np.inf, None, a.shape, b.shape, True)
        if not a.size:
            return Difference(0.0, 0.0, None, a.shape, b.shape, False)
        allowed = self.allowed(a, b)
        wide, other = a.astype(np.float64), b.astype(np.float64)
        with np.errstate(invalid="ignore"):
            apart = np.where((wide == other) | (np.isnan(wide) & np.isnan(other)), 0.0, np.abs(wide - other))
        apart = np.where(np.isnan(apart), np.inf, apart)
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(apart)), apart.shape))
        largest, far = max(abs(float(wide[index])), abs(float(other[index]))), float(apart[index])
        relative = far / largest if largest and np.isfinite(largest) else (np.inf if far else 0.0)
        scale = allowed * max(largest_finite(wide), largest_finite(other))
        rounding = ROUNDING * allowed * max(map(largest_finite, beside), default=0.0)
        return Difference(far, relative, index, a[index].item(), b[index].item(), far > max(scale, rounding))

    def allowed(self, a: Any, b: Any) -> float:
        """The relative difference that counts as none: that of the less precise dtype."""
        if self.tolerance is not None:
            return self.tolerance
        return max((PRECISE.get(v.dtype.itemsize, 0.0) for v in (a, b) if is_float(v.dtype)), default=0.0)

    def row(self, x: Any, y: Any) -> Row:
        u, v = self.a.value(x), self.b.value(y)
        tuples = isinstance(u, tuple) or isinstance(v, tuple)
        g, h = gradient(self.a, x), gradient(self.b, y)
        terms = [t for t in x.values if t is not None] if self.a.operation(x) in CANCELS else []
        return Row(lone(self.a, x), lone(self.b, y), None if tuples else self.difference(u, v, terms),
                   None if g is None or h is None or tuples else self.difference(g, h, self.arriving.get(id(x), [])),
                   tuple(self.why(x, y)))

    def why(self, x: Any, y: Any) -> Iterator[str]:
        """What of the operation itself is not the same."""
        if self.a.operation(x) != self.b.operation(y):
            yield f"the operation: {self.a.operation(x)} / {self.b.operation(y)}"
        elif self.a.options(x) != self.b.options(y):
            yield f"the options: {self.a.options(x):.60} / {self.b.options(y):.60}"
        if self.a.is_result(x) and self.b.is_result(y):
            for i, (s, t, u, v) in enumerate(zip(x.args, y.args, x.values, y.values)):
                loose = id(s) not in self.a.known and id(t) not in self.b.known and None not in (s, t)
                if loose and self.difference(u, v).differs:
                    yield f"argument {i + 1}: {np.asarray(u)} / {np.asarray(v)}"

    # ---------------------------------------------------------------- edges
    def edges(self, rows: dict[int, Row]) -> Iterator[EdgePair]:
        """The edges that differ, in the order of the first graph's sweep."""
        theirs = {(id(y), i): d for y, i, d in self.b.record.flows()}
        mine = {(id(x), i): d for x, i, d in self.a.record.flows()}
        for x in reversed(self.a.record.order):
            y = self.partner.get(id(x))
            if x.prim is None or y is None or not self.b.is_result(y):
                continue
            for i, j in self.positions(x, y):
                first, second = mine.get((id(x), i)), theirs.get((id(y), j))
                if (first is None) != (second is None):
                    yield self.missing(rows[id(x)], x, y, i, j, first is None)
                elif first is not None and self.partner.get(id(x.args[i])) is y.args[j]:
                    yield from self.edge(rows[id(x)], (x, y), (i, j), (first, second))

    def positions(self, x: Any, y: Any) -> Iterator[tuple[int, int]]:
        """Which argument of the one operation is which of the other: the same number, unless they are swapped."""
        for i in range(min(len(x.args), len(y.args))):
            swapped = [j for j, t in enumerate(y.args) if id(x.args[i]) in self.partner and self.partner[id(x.args[i])] is t]
            yield i, i if i in swapped or not swapped else swapped[0]

    def edge(self, row: Row, results: Pair, places: tuple[int, int], contributions: Pair) -> Iterator[EdgePair]:
        (x, y), (i, j) = results, places
        s, t = x.args[i], y.args[j]
        if isinstance(self.a.value(s), tuple) or isinstance(self.b.value(t), tuple):
            return  # one of several outputs: the edges out of the whole say the same
        g, h = gradient(self.a, x), gradient(self.b, y)
        contribution = self.difference(plain(contributions[0], s), plain(contributions[1], t), g if isinstance(g, tuple) else [g])
        if not contribution.differs:
            return
        upstream = None if isinstance(g, tuple) or isinstance(h, tuple) else self.difference(g, h)
        cause = "values" if self.values_differ(row, x, y) else "local"
        if upstream is not None and upstream.differs and not self.local_differs(results, places, g):
            cause = "above"
        yield EdgePair(row, self.a.record.named[id(s)], i, upstream, contribution, cause)

    def values_differ(self, row: Row, x: Any, y: Any) -> bool:
        arguments = [(u, v) for u, v in zip(x.values, y.values) if u is not None and v is not None]
        return row.value_differs or any(not isinstance(u, tuple) and self.difference(u, v).differs for u, v in arguments)

    def local_differs(self, results: Pair, places: tuple[int, int], g: Any) -> bool:
        """Whether the two edges make different things of the same gradient."""
        made = []
        for x, i in zip(results, places):
            if shape_of(x.value) != shape_of(g):
                return True
            rule = next(r for n, r in enumerate(x.prim.backward) if n == i)
            with under(NUMPY), np.errstate(all="ignore"):
                made.append(plain(rule(g, x.value, *x.values, **x.params), x.args[i]))
        return self.difference(*made).differs

    def missing(self, row: Row, x: Any, y: Any, i: int, j: int, in_a: bool) -> EdgePair:
        """An edge that one graph has, and the other has not."""
        items, cut_off, other = (self.b, x.args[i], y.args[j]) if in_a else (self.a, y.args[j], x.args[i])
        cut = getattr(cut_off, "cut", None)
        note = f"{'A' if in_a else 'B'} has no such edge" + (f": cut by {cut}" if cut else "")
        return EdgePair(row, items.record.named[id(other)], i, None, None, "missing", note)


def largest_finite(x: Any) -> float:
    return float(np.max(np.abs(x), initial=0.0, where=np.isfinite(x)))


def gradient(items: Items, x: Any) -> Any:
    """The gradient that arrived at a value, or None."""
    g = items.record.swept.get(x) if isinstance(x, Recorded) else None
    return None if g is None else plain(g, x)


def lone(items: Items, x: Any) -> Lone:
    return Lone(items.record.named[id(x)], items.operation(x), shape_of(items.value(x)), getattr(x, "line", None))
