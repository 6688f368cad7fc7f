"""An update gives a new array that differs from the old one at some places: the functional form of `x[i] = v`."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.interpreter import concrete
from chainrule.core.source import user_line
from chainrule.core.type import Array, Type, broadcast, typeof
from chainrule.errors import ImmutableError, ShapeError

from .broadcasting import broadcast_to, reshape, unbroadcast
from .choice import maximum, minimum, where
from .comparison import equal, indicator
from .families import arrays, primitive, several
from .indexing import (
    IndexRules,
    add_at,
    get_at,
    getitem,
    indexed,
    must_fit,
    out_of_bounds,
    padded,
    part,
    part_type,
    updated_batch,
    updated_type,
)
from .keys import WHOLE, Entries, Key, is_slice, is_static, spelled, without_masks


# ---------------------------------------------------------------------------------------- a part, by slices
def put_part_type(t: Type, v: Type, key: Key) -> Type:
    place = part_type(t, key)
    if broadcast("at: the new values and their place", v, place) != place.shape:
        raise ShapeError(f"at: values of {v} do not broadcast to their place, {place}.")
    must_fit(t, v)
    return Type(t.shape, t.dtype)


def put_part_batch(flags: list[bool], x: Array, v: Array, key: Key) -> Array:
    size = typeof(x if flags[0] else v).shape[0]
    x = x if flags[0] else broadcast_to(x, (size, *typeof(x).shape))
    key = Key((WHOLE, *key))
    return put_part(x, padded(v, flags[1], part_type(typeof(x), key).ndim - 1), key=key)


@primitive(
    backward=(lambda g, y, x, v, key: put_part(g, np.zeros((), typeof(g).dtype), key=key),
              lambda g, y, x, v, key: unbroadcast(part(g, key=key), v)),
    tangent=lambda tangents, y, x, v, key: put_part(*zeros_for_none(tangents, y), key=key),
    result=put_part_type, batch=put_part_batch, prepare=lambda x, v, key: ((x, v), {"key": Key(key)}),
    tex=r"{0}{key} \leftarrow {1}",
    samples=several(arrays((3, 4), (4,), key=(1,)), arrays((3, 4), (), key=(slice(None, None, -2), None, -1)),
                    arrays((3, 4), (2, 1), key=(slice(1, 3),))))
def put_part(x: Array, v: Array, *, key: Key) -> Array:
    """The array with other values in the part that integers, slices, None and Ellipsis pick."""
    x = np.array(x)
    must_fit(typeof(x), typeof(v))
    x[key] = v
    return x


def zeros_for_none(tangents: list[Array | None], y: Array) -> list[Array]:
    """The tangents of an array and of its new values, zero where there is none."""
    x, v = tangents[:2]
    return [np.zeros(*typeof(y)[:2]) if x is None else x, np.zeros((), typeof(y).dtype) if v is None else v]


# ---------------------------------------------------------------------------------------- elements, by arrays of indices
def last_writer(g: Array, y: Array, x: Array, v: Array, *indices: Array) -> Array:
    """The gradient of values that were set: of several set at one place only the last one stayed."""
    lead, rest = typeof(x).shape[:len(indices)], typeof(x).ndim - len(indices)
    shape = broadcast("at", *map(typeof, indices))
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    stayed = equal(get_at(set_at(np.zeros(lead, np.intp), numbers, *indices), *indices), numbers)
    return unbroadcast(where(reshape(stayed, (*shape, *[1] * rest)), get_at(g, *indices), np.zeros((), typeof(g).dtype)), v)


@primitive(
    backward=IndexRules(lambda g, y, x, v, *indices: set_at(g, np.zeros((), typeof(g).dtype), *indices), last_writer),
    tangent=lambda tangents, y, x, v, *indices: set_at(*zeros_for_none(tangents, y), *indices),
    result=updated_type, batch=updated_batch(lambda *args: set_at(*args)),
    samples=several(indexed((4, 2), (3,)), indexed((4, 2, 3), ())), tex=r"{0}[{2} \leftarrow {1}]")
def set_at(x: Array, v: Array, *indices: Array) -> Array:
    """The array with other values at some places; of several for one place the last one stays."""
    x = np.array(x)
    must_fit(typeof(x), typeof(v))
    try:
        x[indices] = v
    except (IndexError, ValueError):
        updated_type(typeof(x), typeof(v), *map(typeof, indices))
        raise out_of_bounds("set_at", x, indices) from None
    return x


def winners(y: Array, x: Array, v: Array, indices: tuple[Array, ...]) -> tuple[Array, Array, Array]:
    """Whether each element of the array, and each new value, is the maximum at its place, and how many there share it."""
    stayed, arrived = equal(x, y), equal(v, get_at(y, *indices))
    return stayed, arrived, maximum(add_at(indicator(stayed, y), indicator(arrived, y), *indices), 1)


def of_old(g: Array, y: Array, x: Array, v: Array, *indices: Array) -> Array:
    stayed, _, sharers = winners(y, x, v, indices)
    return where(stayed, g / sharers, np.zeros((), typeof(g).dtype))


def of_new(g: Array, y: Array, x: Array, v: Array, *indices: Array) -> Array:
    _, arrived, sharers = winners(y, x, v, indices)
    return unbroadcast(where(arrived, get_at(g / sharers, *indices), np.zeros((), typeof(g).dtype)), v)


def max_at_tangent(tangents: list[Array | None], y: Array, x: Array, v: Array, *indices: Array) -> Array:
    stayed, arrived, sharers = winners(y, x, v, indices)
    old, new = zeros_for_none(tangents, y)
    none = np.zeros((), typeof(y).dtype)
    return add_at(where(stayed, old, none), where(arrived, new, none), *indices) / sharers


@primitive(
    backward=IndexRules(of_old, of_new), tangent=max_at_tangent, result=updated_type,
    batch=updated_batch(lambda *args: max_at(*args)), samples=several(indexed((4, 2), (3,)), indexed((4, 2, 3), ())))
def max_at(x: Array, v: Array, *indices: Array) -> Array:
    """The array with each place raised to the greatest of the values given for it; equals share the gradient."""
    x = np.array(x)
    try:
        np.maximum.at(x, indices, v)
    except (IndexError, ValueError, TypeError):
        updated_type(typeof(x), typeof(v), *map(typeof, indices))
        raise out_of_bounds("max_at", x, indices) from None
    return x


# ---------------------------------------------------------------------------------------- x.at[...]
class at:
    """`x.at[index]`, or `cr.at(x)[index]` for any array: the places of an array to be updated.

    An index is what `x[index]` takes. Each update returns a new array; `x` stays as it is, and its dtype is kept. Where an
    index names a place several times, `set` keeps the last value, and the others apply all of them.

    >>> import chainrule as cr, numpy as np
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> cr.at(x)[0].set(9.0)
    array([9., 2., 3.])
    >>> cr.at(x)[[0, 0, 2]].add(1.0)
    array([3., 2., 4.])
    """

    def __init__(self, x: Array) -> None:
        self.x = x

    def __getitem__(self, index: Any) -> Places:
        return Places(self.x, index if type(index) is tuple else (index,))


class Places:
    """Places of an array, chosen by an index."""

    def __init__(self, x: Array, index: Entries) -> None:
        self.x, self.index = x, index

    def get(self) -> Array:
        """What is there: `x[index]`."""
        return getitem(self.x, self.index)

    def set(self, v: Array) -> Array:
        """The array with the values `v` there."""
        return self.update(v, lambda old, v: v, set_at)

    def add(self, v: Array) -> Array:
        """The array with `v` added there."""
        return self.update(v, lambda old, v: old + v, add_at)

    def multiply(self, v: Array) -> Array:
        """The array with what is there multiplied by `v`."""
        return self.update(v, lambda old, v: old * v, multiply_at)

    def max(self, v: Array) -> Array:
        """The array with what is there raised to `v` where it is less."""
        return self.update(v, maximum, max_at)

    def min(self, v: Array) -> Array:
        """The array with what is there lowered to `v` where it is greater."""
        return self.update(v, minimum, lambda x, v, *indices: -max_at(-x, -v, *indices))

    def update(self, v: Array, on_part: Callable[[Array, Array], Array], at_indices: Callable[..., Array]) -> Array:
        """Slices update a part; arrays update their places; where both meet, each place gets its number in the flat array."""
        if all(map(is_static, self.index)):
            return put_part(self.x, on_part(part(self.x, key=self.index), v), key=self.index)
        t = typeof(self.x)
        entries = without_masks(t, self.index)
        if not any(map(is_slice, entries)):
            return at_indices(self.x, v, *entries)
        numbers = getitem(np.arange(t.size).reshape(t.shape), self.index)
        return reshape(at_indices(reshape(self.x, (t.size,)), v, numbers), t.shape)


def multiply_at(x: Array, v: Array, *indices: Array) -> Array:
    """Multiply places by values, one round for each time that a place is named: every round is exact, zeros included."""
    numbers = [concrete(i, "at[...].multiply(), which looks for places named twice,") for i in indices]
    shape = np.broadcast_shapes(*(n.shape for n in numbers))
    t = typeof(x)
    lead, rest = t.shape[:len(indices)], t.shape[len(indices):]
    updated_type(t, typeof(v), *map(typeof, indices))
    try:
        flat = np.ravel_multi_index(tuple(np.broadcast_to(np.where(n < 0, n + k, n), shape) for n, k in zip(numbers, lead)), lead)
    except ValueError:
        raise out_of_bounds("multiply_at", np.empty(t.shape, np.bool_), tuple(numbers)) from None
    flat = np.atleast_1d(flat).ravel()
    rows, factors = reshape(x, (-1, *rest)), reshape(broadcast_to(v, (*shape, *rest)), (flat.size, *rest))
    order = np.argsort(flat, kind="stable")
    first = np.searchsorted(flat[order], flat[order])
    rounds = np.empty(flat.size, np.intp)
    rounds[order] = np.arange(flat.size) - first  # how often the place was named before
    for k in range(int(rounds.max(initial=-1)) + 1):
        turn = np.flatnonzero(rounds == k)
        rows = set_at(rows, get_at(rows, flat[turn]) * get_at(factors, turn), flat[turn])
    return reshape(rows, t.shape)


def assignment(x: Array, index: Any, value: Any) -> ImmutableError:
    """The error for `x[index] = value`, with what to write instead."""
    name = getattr(x, "name", None) or "x"
    shown = ", ".join(map(spelled, index if isinstance(index, tuple) else (index,)))
    new = repr(value) if isinstance(value, int | float) else "values"
    return ImmutableError(f"{user_line()}: {name}[{shown}] = {new}: values do not change, because gradients are computed from "
                          f"them later. Make a new one: {name} = {name}.at[{shown}].set({new}).")


def masked_fill(x: Array, mask: Array, value: Array) -> Array:
    """The array with `value` where `mask` is true."""
    return where(mask, value, x)
