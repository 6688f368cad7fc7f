"""What one element of an array is after its elements were moved: transposed, reshaped, cut out, looked up, put together."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from chainrule.ops import add, equal
from chainrule.ops.broadcasting import chain

from ...formulas.binding import Written
from ...formulas.formula import Call, Formula, Name, Number
from .index_places import Place, Unsaid, at, divided, joined, remainder
from .indexed import Position, Total
from .saying import Places, Saying, aligned, call, groups, label_at
from .verified import Evaluated, Known, Valued, plainly


def permuted(say: Saying, f: Call, places: Places) -> Formula:
    own: list[Any] = [None] * len(places)
    for place, axis in zip(places, f.params["axes"]):
        own[axis] = place
    return say.of(f.args[0], tuple(own))


def broadcast(say: Saying, f: Call, places: Places) -> Formula:
    (x,) = f.args
    assert x is not None
    return say.of(x, aligned(places, f.shape, x.shape))


def reshaped(say: Saying, f: Call, places: Places) -> Formula:
    (x,) = f.args
    assert x is not None
    if not all(f.shape):
        raise Unsaid("an array without elements")
    own: list[Any] = [Place()] * len(x.shape)
    for here, there in groups(x.shape, f.shape):
        flat = joined(tuple(places[k] for k in there), tuple(f.shape[k] for k in there)) if there else Place()
        for n, axis in enumerate(here):
            step = int(np.prod([x.shape[k] for k in here[n + 1:]]))
            whole = divided(flat, step)
            own[axis] = whole if n == 0 else remainder(whole, x.shape[axis])
    return say.of(x, tuple(own))


def entries(key: Any, shape: tuple[int, ...]) -> list[Any]:
    """The entries of a key for each axis of the array, and None for each axis it adds."""
    taken = sum(k is not None and k is not Ellipsis for k in key)
    spread = [slice(None)] * (len(shape) - taken)
    found = [e for k in key for e in (spread if k is Ellipsis else [k])]
    return found if Ellipsis in key else [*found, *spread]


def parted(say: Saying, f: Call, places: Places) -> Formula:
    (x,) = f.args
    assert x is not None
    rest, own = iter(places), []
    sizes = iter(x.shape)
    for k in entries(f.params["key"], x.shape):
        if k is None:
            next(rest)
            continue
        size = next(sizes)
        if isinstance(k, slice):
            start, _, step = k.indices(size)
            place = next(rest)
            if (start, step) != (0, 1):
                if not isinstance(place, Place):
                    raise Unsaid("a slice at a place that is computed")
                place = place * step + Place((), start)
            own.append(place)
        else:
            own.append(Place((), int(k) % size))
    return say.of(x, tuple(own))


def looked_up(say: Saying, f: Call, places: Places) -> Formula:
    x, *indices = f.args
    assert x is not None
    wide = len(places) - (len(x.shape) - len(indices))
    shape = f.shape[:wide]
    own = [label_at(i, aligned(places[:wide], shape, i.shape), n) for i, n in zip(indices, x.shape) if i is not None]
    return say.of(x, (*own, *places[wide:]))


def added_up(say: Saying, f: Call, places: Places) -> Formula:
    """The rows that go to a place are those whose index says so."""
    start, rows, *indices = f.args
    assert rows is not None
    if not isinstance(start, Number) or np.any(start.value):
        raise Unsaid("an array to which rows are added")
    wide = len(rows.shape) - (len(places) - len(indices))
    letters, inner = say.letters(rows.shape[:wide])
    own = tuple(map(at, letters))
    body = inner.of(rows, (*own, *places[len(indices):]))
    for place, i, n in zip(places, indices, f.shape):
        assert i is not None
        label = label_at(i, aligned(own, rows.shape[:wide], i.shape), n)
        body = call(chain, body, call(equal, Position((), label), Position((), place)))
    return Total((), "sum", body, tuple(letters))


# ---------------------------------------------------------------------------------------- putting together
def embedded(say: Saying, f: Call, places: Places) -> Formula:
    """Zeros, but where a key points."""
    (x,) = f.args
    assert x is not None
    own, conditions = [], []
    keys = entries(f.params["key"], f.shape)
    for place, k, n in zip(places, keys, f.shape):
        if not isinstance(place, Place):
            raise Unsaid("a place that is computed, in a part of an array")
        if isinstance(k, slice):
            start, stop, step = k.indices(n)
            if step != 1:
                raise Unsaid("a part of an array with gaps")
            own.append(place + Place((), -start))
            conditions += [] if (start, stop) == (0, n) else [Between((), place, start, stop)]
        else:
            conditions.append(call(equal, Position((), place), Position((), Place((), int(k) % n))))
    if None in keys:
        raise Unsaid("a part of an array with new axes")
    found = say.of(x, tuple(own))
    for condition in conditions:
        found = call(chain, found, condition)
    return found


def put_together(say: Saying, f: Call, places: Places) -> Formula:
    """Of arrays along an axis, the one whose stretch it is in."""
    axis, start, terms = f.params["axis"], 0, []
    for a in f.args:
        assert a is not None
        n = a.shape[axis]
        key = tuple(slice(start, start + n) if k == axis else slice(None) for k in range(len(f.shape)))
        terms.append(embedded(say, Call(f.shape, f.prim, (a,), {"key": key}), places))
        start += n
    return reduce(lambda one, other: call(add, one, other), terms)


@dataclass(frozen=True, eq=False)
class Between(Evaluated):
    """Whether a place is in a stretch: 1 if so, else 0."""

    place: Place
    first: int
    behind: int

    def as_text(self) -> Written:
        return f"{self.first} <= {self.place.said()[0]} < {self.behind}", 0

    def as_latex(self) -> Written:
        return rf"{self.first} \le {self.place.said()[1]} < {self.behind}", 0

    def evaluate(self, known: Known) -> Valued:
        value = self.place.value(known)
        return plainly((value >= self.first) & (value < self.behind))

    def mapped(self, name: Callable[[Name], Formula]) -> Formula:
        return self
