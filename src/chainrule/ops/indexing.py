"""Indexing picks elements by their place: a part of an array by slices, single elements by arrays of indices.

What was picked hands its gradient back to the place it came from; a place picked twice receives both.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.core import interpreter
from chainrule.core.interpreter import NUMPY, Box, now
from chainrule.core.primitive import Generator, Rule, Sample
from chainrule.core.reverse import Pieces, optimistic
from chainrule.core.type import Array, Shape, Type, broadcast, typeof
from chainrule.errors import BoundsError, DTypeError, ShapeError

from .broadcasting import broadcast_to, reshape, unbroadcast
from .families import Samples, arrays, linear, primitive, several
from .keys import STATIC, WHOLE, Entries, Key, expanded, is_slice, without_masks
from .movement import moveaxis, permute_dims


# ---------------------------------------------------------------------------------------- a part, by slices
def part_prepare(x: Array, key: Any) -> Any:
    return (x,), {"key": Key(key if isinstance(key, tuple) else (key,))}


def part_type(t: Type, key: Key) -> Type:
    try:
        return Type(np.broadcast_to(np.empty(()), t.shape)[key].shape, t.dtype)
    except IndexError as error:
        raise BoundsError(f"getitem: x{key} of x: {t}: {error}. Indices count from 0, negative ones from the end.") from None


def placed(g: Array, x: Array, key: Key) -> Array:
    """The gradient of an array from that of a part: zeros elsewhere; in a sweep over plain arrays they are left for later."""
    late = optimistic.get() and not isinstance(g, Box) and now() in (NUMPY, interpreter.ground)
    return Pieces(key, g) if late else embed(g, shape=typeof(x).shape, key=key)


@linear(
    transpose=placed, prepare=part_prepare, result=part_type,
    batch=lambda t, key: {"key": Key((WHOLE, *key))}, tex="{0}{key}",
    samples=several(arrays((3, 4), key=(1,)), arrays((3, 4), key=(slice(None, None, -2), None, -1)),
                    arrays((2, 3, 4), key=(Ellipsis, slice(1, 3))), arrays((), key=(None,))))
def part(x: Array, *, key: Key) -> Array:
    """The part of an array that integers, slices, None (a new axis) and Ellipsis pick."""
    return np.asarray(x)[key]


@linear(
    transpose=lambda g, x, shape, key: part(g, key=key),
    result=lambda t, shape, key: Type(shape, t.dtype), prepare=lambda x, shape, key: ((x,), {"shape": shape, "key": Key(key)}),
    batch=lambda t, shape, key: {"shape": (t.shape[0], *shape), "key": (WHOLE, *key)},
    samples=several(arrays((4,), shape=(3, 4), key=(1,)), arrays((2, 1), shape=(3, 4), key=(slice(None, None, -2), None, -1))))
def embed(x: Array, *, shape: Shape, key: Key) -> Array:
    """Zeros with the values put where `key` points: the way back of `part`."""
    x = np.asarray(x)
    whole = np.zeros(shape, x.dtype)
    whole[key] = x
    return whole


# ---------------------------------------------------------------------------------------- elements, by arrays of indices
def picked_shape(t: Type, indices: tuple[Type, ...]) -> Shape:
    """The shape of x[indices]: the indices broadcast, then the axes they leave."""
    for i in indices:
        if i.dtype.kind not in "iu":
            raise DTypeError(f"getitem: an index is made of integers, not {i}. Convert whole numbers with .astype('int64').")
    if len(indices) > t.ndim:
        raise ShapeError(f"getitem: {len(indices)} indices for {t}, which has {t.ndim} axes.")
    return (*broadcast("getitem with several arrays", *indices), *t.shape[len(indices):])


def out_of_bounds(name: str, x: Array, indices: tuple[Array, ...]) -> BoundsError:
    """The error that shows the first indices beyond the ends of their axis."""
    for axis, (i, n) in enumerate(zip(map(np.asarray, indices), x.shape)):
        wrong = i[(i < -n) | (i >= n)]
        if wrong.size:
            more = f" and {wrong.size - 3} more" if wrong.size > 3 else ""
            return BoundsError(f"{name}: index {', '.join(map(str, wrong[:3]))}{more} is beyond axis {axis} of {typeof(x)}: it "
                               f"takes {-n} to {n - 1}.")
    return BoundsError(f"{name}: indices of {', '.join(str(typeof(i)) for i in indices)} do not fit {typeof(x)}.")


def example_numbers(size: int, ndim: int) -> Array:
    """Each example's own number: the index of a batch axis."""
    return np.arange(size).reshape(size, *[1] * ndim)


def aligned(flags: list[bool], indices: tuple[Array, ...]) -> tuple[int, list[Array]]:
    """The number of axes an example's indices broadcast to, and the indices padded to it behind their batch axes."""
    rank = max(typeof(i).ndim - batched for i, batched in zip(indices, flags))
    return rank, [padded(i, batched, rank) for i, batched in zip(indices, flags)]


def padded(a: Array, batched: bool, rank: int) -> Array:
    """A batched array with axes of size 1 behind its batch axis, up to a rank."""
    shape = typeof(a).shape
    missing = rank + 1 - len(shape)
    return reshape(a, shape=(shape[0], *[1] * missing, *shape[1:])) if batched and missing > 0 else a


class IndexRules:
    """The rules of an operation whose first arrays have gradients and whose remaining ones are indices, which have none."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules

    def __iter__(self) -> Iterator[Rule | None]:
        yield from self.rules
        while True:
            yield None


def indexed(*shapes: Shape) -> Samples:
    """Samples for operations on arrays and two indices: without repetitions, with them, and broadcasting."""
    pairs = ([3, 0, -2], [0, 0, 1]), ([1, 1, 1], [0, -1, 1]), ([[1], [2]], [0, 1, 0])

    def make(rng: Generator) -> list[Sample]:
        return [Sample((*(rng.uniform(-2, 2, s) for s in shapes), *map(np.array, pair))) for pair in pairs]
    return make


def get_at_batch(flags: list[bool], x: Array, *indices: Array) -> Array:
    rank, places = aligned(flags[1:], indices)
    if not any(flags[1:]):  # all examples are asked for the same places
        return moveaxis(get_at(moveaxis(x, 0, len(indices)), *indices), rank, 0)
    return get_at(x, example_numbers(typeof(x).shape[0], rank), *places) if flags[0] else get_at(x, *places)


@primitive(
    backward=IndexRules(lambda g, y, x, *indices: add_at(np.zeros(*typeof(x)[:2]), g, *indices)),
    tangent=lambda tangents, y, x, *indices: get_at(tangents[0], *indices),
    result=lambda t, *indices: Type(picked_shape(t, indices), t.dtype), batch=get_at_batch,
    samples=several(indexed((4, 2)), indexed((4, 2, 3))), tex="{0}[{1}]")
def get_at(x: Array, *indices: Array) -> Array:
    """The elements at places given by arrays of integers, one array for each of the first axes."""
    x = np.asarray(x)
    try:
        return x[indices]
    except IndexError:
        picked_shape(typeof(x), tuple(map(typeof, indices)))
        raise out_of_bounds("getitem", x, indices) from None


def updated_type(t: Type, v: Type, *indices: Type) -> Type:
    """The type of an array with values put in at some places: they must broadcast to the places, and fit its dtype."""
    places = picked_shape(t, indices)
    if broadcast("at: the new values and their places", v, Type(places, t.dtype)) != places:
        raise ShapeError(f"at: values of {v} do not broadcast to the places, which have shape {places}.")
    must_fit(t, v)
    return Type(t.shape, t.dtype)


def must_fit(t: Type, v: Type) -> None:
    """Refuse values that an array would cut: floats in an array of integers."""
    if v.dtype != t.dtype and not np.can_cast(v.dtype, t.dtype, "same_kind") and not (v.weak and v.dtype.kind == "i"):
        raise DTypeError(f"at: {v.dtype} values do not fit into an array of {t.dtype}. Convert one of them with .astype().")


def updated_batch(update: Any) -> Any:
    """The batch rule of an operation that puts values in: the batch axis is one more indexed axis."""
    def batch(flags: list[bool], x: Array, v: Array, *indices: Array) -> Array:
        size = next(typeof(a).shape[0] for a, batched in zip((x, v, *indices), flags) if batched)
        rank, places = aligned(flags[2:], indices)
        v = padded(v, flags[1], rank + typeof(x).ndim - flags[0] - len(indices))
        x = x if flags[0] else broadcast_to(x, (size, *typeof(x).shape))
        return update(x, v, example_numbers(size, rank), *places)
    return batch


@primitive(
    backward=IndexRules(lambda g, y, x, v, *indices: g, lambda g, y, x, v, *indices: unbroadcast(get_at(g, *indices), v)),
    tangent=lambda tangents, y, x, v, *indices: add_at(
        *(np.zeros((), typeof(y).dtype) if t is None and k else np.zeros(*typeof(y)[:2]) if t is None else t
          for k, t in enumerate(tangents[:2])), *indices),
    result=updated_type, batch=updated_batch(lambda *args: add_at(*args)),
    samples=several(indexed((4, 2), (3,)), indexed((4, 2, 3), ())))
def add_at(x: Array, v: Array, *indices: Array) -> Array:
    """The array with values added at some places; a place named twice receives both."""
    x, v = np.array(x, order="C"), np.asarray(v)
    try:
        if x.ndim == len(indices) == 1 or x.size < 64:
            np.add.at(x, indices, v)
        else:
            add_rows(x, v, indices)
    except (IndexError, ValueError, TypeError):
        updated_type(typeof(x), typeof(v), *map(typeof, indices))
        raise out_of_bounds("add_at", x, indices) from None
    return x


def add_rows(x: Array, v: Array, indices: tuple[Array, ...]) -> None:
    """Add rows of `v` to `x` in place: sorted by their place, rows of one place are summed at once."""
    lead, rest = x.shape[:len(indices)], x.shape[len(indices):]
    places = np.ravel_multi_index(tuple(np.where(i < 0, i + n, i) for i, n in zip(indices, lead)), lead)
    rows = np.broadcast_to(v, (*places.shape, *rest)).reshape(places.size, int(np.prod(rest)))
    places = places.ravel()
    if not rows.size:
        return
    order = np.argsort(places, kind="stable")
    places = places[order]
    starts = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
    x.reshape(-1, rows.shape[1])[places[starts]] += np.add.reduceat(rows[order], starts, axis=0)


# ---------------------------------------------------------------------------------------- both at once: x[...]
def getitem(x: Array, index: Any, /) -> Array:
    """What `x[index]` means: integers, slices, None and Ellipsis pick a part; arrays of integers pick elements; a boolean
    array picks where it is true. As in NumPy, the axes made by index arrays stand where they stood, or in front if
    slices part them.

    Raises BoundsError, DTypeError for an index that is not made of integers, StagingError for a staged boolean index.

    >>> import chainrule as cr, numpy as np
    >>> cr.grad(lambda x: cr.getitem(x, [0, 2, 2]).sum())(np.array([5.0, 6.0, 7.0]))
    array([1., 0., 2.])
    """
    entries = index if type(index) is tuple else (index,)
    if STATIC.issuperset(map(type, entries)):
        return part(x, key=entries)
    t = typeof(x)
    if type(index) is np.ndarray and index.dtype.kind == "i" and t.ndim:
        return get_at(x, index)
    if t.ndim == 0 and len(entries) == 1 and typeof(entries[0]).ndim == 0 and typeof(entries[0]).dtype == np.bool_:
        return getitem(reshape(x, (1,)), reshape(entries[0], (1,)))
    return picked(x, without_masks(t, entries))


def picked(x: Array, entries: Entries) -> Array:
    """`x[entries]`, where some entries are arrays: first the slices, then the arrays, moved to the front."""
    places = [k for k, e in enumerate(entries) if not is_slice(e)]
    parted = places[-1] - places[0] >= len(places)  # an Ellipsis that stands for no axis parts them, too
    entries = expanded(typeof(x), entries)
    slices = tuple(e if is_slice(e) else WHOLE for e in entries)
    if any(e != WHOLE for e in slices):
        x = part(x, key=slices)
    axes = [k for k, e in enumerate(entries) if not is_slice(e)]
    others = [k for k, e in enumerate(entries) if is_slice(e)]
    if axes[-1] >= len(axes):
        x = permute_dims(x, axes=(*axes, *others))
    out = get_at(x, *(entries[k] for k in axes))
    first = axes[0]
    if parted or not first:
        return out
    rank, ndim = typeof(out).ndim - len(others), typeof(out).ndim
    return permute_dims(out, axes=(*range(rank, rank + first), *range(rank), *range(rank + first, ndim)))
