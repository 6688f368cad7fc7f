"""A link is a pair of elements, one of an operation's result and one of an argument, with the local derivative between them.

The links of all operations make the scalar graph of a loss: one node for each element of each value. A link whose local
derivative is 0 is closed, and left out: a path runs along open links only.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.batch import Batch, Stacked
from chainrule.core.interpreter import NUMPY, entered, under
from chainrule.core.reverse import Recorded
from chainrule.core.type import is_float, typeof
from chainrule.errors import ArgumentError

from ..record.replay import widened
from ..record.trace import rule_of
from ..record.values import plain

MOST_LINKS = 2**21  # of one edge
MOVEMENTS = frozenset(("reshape", "broadcast_to", "permute_dims", "stack", "concat", "part", "embed", "get_at", "put_part",
                       "set_at", "where", "cast"))
"""Operations whose results are elements of their arguments: applied to numbered elements, they say which."""
REDUCTIONS = frozenset(("sum", "mean", "prod", "max", "min", "logsumexp", "var", "std"))
"""Operations in which each element of the argument goes into one element of the result."""
Pairs = tuple[Any, Any, Any]  # rows, columns, slopes: arrays that broadcast against each other


@dataclass(frozen=True)
class Links:
    """The open links of one edge, sorted by column: element `rows[k]` of the result has the derivative `slopes[k]` in element
    `columns[k]` of the argument. Elements are counted in the order of `ravel`; several outputs follow one another."""

    rows: Any
    columns: Any
    slopes: Any

    @classmethod
    def of(cls, rows: Any, columns: Any, slopes: Any) -> Links:
        rows, columns, slopes = map(np.ravel, np.broadcast_arrays(rows, columns, slopes))
        is_open = np.flatnonzero(slopes)
        order = is_open[np.argsort(columns[is_open], kind="stable")]
        return cls(rows[order], columns[order], slopes[order].astype(np.float64))

    def into(self, column: int) -> slice:
        """The links into one element of the argument."""
        return slice(*np.searchsorted(self.columns, (column, column + 1)))


def size_of(x: Recorded) -> int:
    return sum(part.size for part in x.value) if isinstance(x.value, tuple) else int(np.size(x.value))


def numbered(value: Any) -> Any:
    return np.arange(np.size(value)).reshape(np.shape(value))


def links_of(x: Recorded, i: int) -> Links:
    """The links between the result of an operation and its argument `i`, from its own rules, in float64.

    Raises ArgumentError where there are too many.
    """
    assert x.prim is not None
    values = [widened(v) for v in x.values]
    y = tuple(map(widened, x.value)) if isinstance(x.value, tuple) else widened(x.value)
    with under(NUMPY), np.errstate(all="ignore"):
        if x.prim.slopes:
            return Links.of(*elementwise(x, i, y, values))
        special = next((f for names, f in BY_NAME if x.prim.name in names), matrix)
        return Links.of(*special(x, i, y, values))


def limited(x: Recorded, count: int) -> None:
    if count > MOST_LINKS:
        line = getattr(x, "line", None)
        shapes = ", ".join(str(typeof(v)) for v in x.values if v is not None)
        raise ArgumentError(f"sweep: {x.prim}({shapes}){f' at {line}' if line else ''} has {count:,} pairs of elements with a "
                            f"local derivative, and the limit is {MOST_LINKS:,}. Take fewer examples, or a smaller layer.")


def elementwise(x: Recorded, i: int, y: Any, values: Sequence[Any]) -> Pairs:
    """One slope for each element; a broadcast argument has a link to each of its repetitions."""
    slope = x.prim.slopes[i]  # type: ignore[union-attr, index]
    slope = slope(y, *values, **x.params) if callable(slope) else slope
    columns = np.broadcast_to(numbered(values[i]), np.shape(y))
    return numbered(y), columns, np.broadcast_to(slope, np.shape(y))


def moved(x: Recorded, i: int, y: Any, values: Sequence[Any]) -> Pairs:
    """Which elements of the argument the result is made of."""
    marked = [v if not isinstance(v, float | np.ndarray | np.generic) or not is_float(np.asarray(v).dtype) else np.zeros_like(v)
              for v in values]
    marked[i] = numbered(values[i]) + 1.0
    found = np.asarray(x.prim.forward(*marked, **x.params)).astype(np.int64)  # type: ignore[union-attr]
    return numbered(y), found - 1, found > 0


def picked(x: Recorded, i: int, y: Any, values: Sequence[Any]) -> Pairs:
    before = sum(part.size for part in values[0][:x.params["index"]])
    return numbered(y), before + numbered(y), 1.0


def reduced(x: Recorded, i: int, y: Any, values: Sequence[Any]) -> Pairs:
    """Each element of the argument goes into one of the result, with the slope its rule gives to ones."""
    shape = [1 if axis in x.params["axis"] else n for axis, n in enumerate(np.shape(values[i]))]
    return numbered(y).reshape(shape), numbered(values[i]), plain(rule_of(x, i)(np.ones_like(y), y, *values, **x.params), None)


def product(x: Recorded, i: int, y: Any, values: Sequence[Any]) -> Pairs:
    """Of a matrix product: an element of one side meets a row or a column of the other."""
    a, b = values[:2]
    turned = x.prim.name == "linear"  # type: ignore[union-attr]
    if turned and i == 2:
        return numbered(y), np.broadcast_to(numbered(values[2]), y.shape), 1.0
    limited(x, y.size * a.shape[-1])

    def left(m: Any) -> Any:  # (..., row, inner, 1)
        return (m[None, :] if a.ndim == 1 else m)[..., :, :, None]

    def right(m: Any) -> Any:  # (..., 1, inner, column)
        return (m.T if turned else m[:, None] if b.ndim == 1 else m)[..., None, :, :]

    row, column = () if a.ndim > 1 else (1,), () if b.ndim > 1 else (1,)
    full = (*y.shape[:y.ndim - (b.ndim > 1)], *row, *y.shape[y.ndim - (b.ndim > 1):], *column)
    rows = numbered(y).reshape(full)[..., :, None, :]
    mine, columns, other = (left, a, right(b)) if i == 0 else (right, b, left(a))
    return rows, mine(numbered(columns)), other


def matrix(x: Recorded, i: int, y: Any, values: Sequence[Any]) -> Pairs:
    """The whole matrix of local derivatives: by forward mode or by reverse mode for all unit vectors at once."""
    results, elements = size_of(x), int(np.size(values[i]))
    limited(x, results * elements)
    forward = isinstance(y, tuple) or elements <= results
    count = elements if forward else results
    with entered(Batch(count, NUMPY)) as batch:
        basis = Stacked(batch, np.eye(count).reshape(count, *np.shape(values[i] if forward else y)))
        if forward:
            tangents = [basis if n == i else None for n in range(len(values))]
            found: Any = x.prim.tangent(tangents, y, *values, **x.params)  # type: ignore[union-attr]
        else:
            found = whole(rule_of(x, i)(basis, y, *values, **x.params), values[i])
    parts = [stack_of(part, count, batch) for part in (found if isinstance(found, tuple) else (found,))]
    slopes = np.concatenate(parts, axis=1)
    return np.arange(results)[:, None], np.arange(elements)[None, :], slopes.T if forward else slopes


def whole(d: Any, value: Any) -> Any:
    return d.filled(value) if hasattr(d, "filled") else d


def stack_of(found: Any, count: int, batch: Any) -> Any:
    """The rows of the matrix: one for each unit vector, the same for all where none had influence."""
    value = found.value if batch.owns(found) else np.broadcast_to(found, (count, *np.shape(found)))
    return np.reshape(value, (count, -1))


BY_NAME = ((MOVEMENTS, moved), (REDUCTIONS, reduced), (frozenset(("matmul", "linear")), product), (frozenset(("pick",)), picked))
