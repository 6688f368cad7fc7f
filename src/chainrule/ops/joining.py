"""Joining puts arrays side by side; splitting takes them apart: each gradient goes where its numbers came from."""
from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np

from chainrule.core.primitive import Together
from chainrule.core.type import Array, Type, normal_axis, promote, typeof
from chainrule.errors import ArgumentError, ShapeError

from .broadcasting import broadcast_to, reshape, unbroadcast
from .families import arrays as samples_of
from .families import primitive, several
from .indexing import getitem, part
from .keys import WHOLE
from .shaping import ravel


def concat_prepare(*arrays: Array, axis: int | None = 0) -> Any:
    if len(arrays) == 1 and isinstance(arrays[0], list | tuple):
        arrays = tuple(arrays[0])
    if not arrays:
        raise ArgumentError("concat: there is nothing to join; give at least one array.")
    if axis is None:
        arrays, axis = tuple(map(ravel, arrays)), 0
    return arrays, {"axis": normal_axis("concat", axis, typeof(arrays[0]).ndim)}


def concat_type(*types: Type, axis: int) -> Type:
    rests = {(*t.shape[:axis], None, *t.shape[axis + 1:]) for t in types}
    if len(rests) > 1:
        raise ShapeError(f"concat: along axis {axis} the other sizes must be equal: {', '.join(map(str, types))}. Use stack to "
                         "join along a new axis.")
    return Type((*types[0].shape[:axis], sum(t.shape[axis] for t in types), *types[0].shape[axis + 1:]), promote(*types))


def concat_batch(flags: list[bool], *arrays: Array, axis: int) -> Array:
    size = next(typeof(a).shape[0] for a, batched in zip(arrays, flags) if batched)
    full = (a if batched else broadcast_to(a, shape=(size, *typeof(a).shape)) for a, batched in zip(arrays, flags))
    return concat(*full, axis=axis + 1)


def stretches(g: Array, y: Array, arrays: tuple[Array, ...], params: dict[str, Any]) -> list[Array]:
    """The gradient of each of the joined arrays: its own stretch of the whole."""
    axis = params["axis"]
    ends = list(accumulate(typeof(a).shape[axis] for a in arrays))
    lead = (WHOLE,) * axis
    return [unbroadcast(part(g, key=(*lead, slice(start, end))), a) for a, start, end in zip(arrays, [0, *ends], ends)]


@primitive(
    backward=Together(stretches, None),
    tangent=lambda tangents, y, *arrays, axis: concat(
        *(np.zeros(*typeof(a)[:2]) if t is None else t for t, a in zip(tangents, arrays)), axis=axis),
    result=concat_type, batch=concat_batch, prepare=concat_prepare,
    samples=several(samples_of((3, 2), (3, 4), axis=-1), samples_of((2, 1, 2), (1, 1, 2), (3, 1, 2)),
                    samples_of((2,), (2, 2), axis=None)),
    tex=r"[{0}, \ldots]")
def concat(*arrays: Array, axis: int) -> Array:
    """Arrays joined along an axis that is there; None joins all their elements in a row.

    Takes a list of arrays, as in `cr.concat([a, b], axis=1)`, or the arrays themselves. Raises ShapeError.
    """
    return np.concatenate(arrays, axis)


def unstack(x: Array, axis: int = 0) -> tuple[Array, ...]:
    """The slices along an axis, one after the other, without that axis."""
    axis = normal_axis("unstack", axis, typeof(x).ndim)
    return tuple(part(x, key=(*[WHOLE] * axis, i)) for i in range(typeof(x).shape[axis]))


def split(x: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """The array cut along an axis: into a number of equal pieces, or at the given indices, as in NumPy.

    >>> import chainrule as cr, numpy as np
    >>> [piece.shape for piece in cr.split(np.zeros(10), [2, 5])]
    [(2,), (3,), (5,)]
    """
    axis = normal_axis("split", axis, typeof(x).ndim)
    size = typeof(x).shape[axis]
    if isinstance(indices_or_sections, int | np.integer):
        n = int(indices_or_sections)
        if n < 1 or size % n:
            raise ShapeError(f"split: axis {axis} of {typeof(x)} does not divide into {n} equal pieces. Give the indices "
                             "to cut at.")
        cuts = list(range(size // n, size, size // n)) if size else [0] * (n - 1)
    else:
        cuts = [int(i) for i in indices_or_sections]
    lead = (WHOLE,) * axis
    return [part(x, key=(*lead, slice(a, b))) for a, b in zip([0, *cuts], [*cuts, size])]


def tile(x: Array, repetitions: Any) -> Array:
    """The whole array laid out `repetitions` times along each axis; a missing repetition or axis counts as 1."""
    counts = tuple(repetitions) if isinstance(repetitions, tuple | list) else (repetitions,)
    shape = typeof(x).shape
    counts = (1,) * (len(shape) - len(counts)) + counts
    shape = (1,) * (len(counts) - len(shape)) + shape
    apart = tuple(n for size in shape for n in (1, size))
    full = tuple(n for count, size in zip(counts, shape) for n in (count, size))
    return reshape(broadcast_to(reshape(x, apart), full), tuple(c * n for c, n in zip(counts, shape)))


def repeat(x: Array, repeats: Any, axis: int | None = None) -> Array:
    """Each element (along `axis`; None: of the flattened array) repeated `repeats` times: one number, or one for each."""
    if axis is None:
        x, axis = ravel(x), 0
    axis = normal_axis("repeat", axis, typeof(x).ndim)
    shape = typeof(x).shape
    if np.ndim(repeats):
        if len(repeats) != shape[axis]:
            raise ShapeError(f"repeat: {len(repeats)} counts for axis {axis} of {typeof(x)}: give one number, or one for each.")
        return getitem(x, (*[WHOLE] * axis, np.repeat(np.arange(shape[axis]), repeats)))
    spread = (*shape[:axis + 1], int(repeats), *shape[axis + 1:])
    doubled = broadcast_to(reshape(x, (*shape[:axis + 1], 1, *shape[axis + 1:])), spread)
    return reshape(doubled, (*shape[:axis], shape[axis] * int(repeats), *shape[axis + 1:]))
