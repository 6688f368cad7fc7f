"""A rearrangement mirrors, shifts, frames or windows an array along its axes."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.type import Array, Type, normal_axes, normal_axis, typeof
from chainrule.errors import ArgumentError, ShapeError

from .broadcasting import reshape
from .families import arrays, linear, several
from .indexing import embed, getitem, part
from .keys import WHOLE
from .movement import moveaxis, swapaxes
from .shaping import ravel


def flip(x: Array, axis: Any = None) -> Array:
    """The array in reverse order along `axis` (an int, a tuple, or None for all)."""
    t = typeof(x)
    axes = normal_axes("flip", axis, t.ndim)
    return part(x, key=tuple(slice(None, None, -1) if i in axes else WHOLE for i in range(t.ndim)))


def rot90(x: Array, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """The array turned `k` times by 90 degrees in the plane of `axes`, from the first towards the second."""
    turns = k % 4
    if turns in (0, 2):
        return flip(x, axes) if turns else x
    return swapaxes(flip(x, axes[1]), *axes) if turns == 1 else flip(swapaxes(x, *axes), axes[1])


def roll_prepare(x: Array, shift: Any, axis: Any) -> Any:
    shifts = tuple(map(int, shift)) if isinstance(shift, tuple | list) else (int(shift),)
    axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    if len(shifts) not in (1, len(axes)):
        raise ArgumentError(f"roll: {len(shifts)} shifts for {len(axes)} axes; give one for each.")
    shifts = shifts * (len(axes) // len(shifts))
    return (x,), {"shift": shifts, "axis": tuple(normal_axis("roll", a, typeof(x).ndim) for a in axes)}


@linear(
    transpose=lambda g, x, shift, axis: cycle(g, shift=tuple(-s for s in shift), axis=axis),
    result=lambda t, shift, axis: t, batch=lambda t, shift, axis: {"shift": shift, "axis": tuple(a + 1 for a in axis)},
    prepare=roll_prepare, samples=several(arrays((5,), shift=2, axis=0), arrays((3, 4), shift=(1, -1), axis=(0, -1))), tex="{0}")
def cycle(x: Array, *, shift: tuple[int, ...], axis: tuple[int, ...]) -> Array:
    """The array shifted along some axes; what leaves at one end enters at the other."""
    return np.roll(x, shift, axis)


def roll(x: Array, shift: Any, axis: Any = None) -> Array:
    """The array shifted along `axis`; what leaves at one end enters at the other. None shifts all elements in a row."""
    if axis is None:
        return reshape(cycle(ravel(x), shift, 0), shape=typeof(x).shape)
    return cycle(x, shift, axis)


def pad_widths(width: Any, ndim: int) -> list[tuple[int, int]]:
    """How many elements to add before and after, for each axis, from one number, one pair, or a pair for each axis."""
    try:
        return [(int(a), int(b)) for a, b in np.broadcast_to(np.asarray(width, np.intp), (ndim, 2))]
    except ValueError:
        raise ShapeError(f"pad: pad_width={width!r} is not one number, one pair (before, after), or a pair for each of the "
                         f"{ndim} axes.") from None


def pad(x: Array, pad_width: Any, mode: str = "constant", *, constant_values: float = 0.0) -> Array:
    """The array in a frame: `pad_width` elements before and after (one number, one pair, or a pair for each axis).

    `mode` says what the frame holds: "constant" (`constant_values`), "edge", "reflect", "symmetric" or "wrap", as in NumPy.
    The gradient of an element used several times adds up.

    >>> import chainrule as cr, numpy as np
    >>> cr.grad(lambda x: cr.pad(x, (2, 0), "edge").sum())(np.array([5.0, 6.0]))
    array([3., 1.])
    """
    t = typeof(x)
    widths = pad_widths(pad_width, t.ndim)
    if min((n for pair in widths for n in pair), default=0) < 0:
        raise ArgumentError(f"pad: pad_width={pad_width!r} takes elements away; use slices for that.")
    if mode == "constant":
        shape = tuple(a + n + b for (a, b), n in zip(widths, t.shape))
        framed = embed(x, shape=shape, key=tuple(slice(a, a + n) for (a, _), n in zip(widths, t.shape)))
        return framed + frame(t, widths, constant_values) if constant_values else framed
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ArgumentError(f"pad: mode is 'constant', 'edge', 'reflect', 'symmetric' or 'wrap', not {mode!r}.")
    for axis, (pair, n) in enumerate(zip(widths, t.shape)):
        if any(pair):
            x = getitem(x, (*[WHOLE] * axis, np.pad(np.arange(n), pair, mode)))  # type: ignore[call-overload]
    return x


def frame(t: Type, widths: list[tuple[int, int]], value: float) -> Array:
    """What a constant frame adds to zeros: the value outside, nothing inside."""
    return np.pad(np.zeros(t.shape, t.dtype), widths, constant_values=value)


def sliding_window_view(x: Array, window_shape: Any, axis: Any = None) -> Array:
    """All windows of a size along `axis` (None: along all), each window along new last axes, as in NumPy.

    >>> import chainrule as cr, numpy as np
    >>> cr.sliding_window_view(np.arange(4.0), 2)
    array([[0., 1.],
           [1., 2.],
           [2., 3.]])
    """
    t = typeof(x)
    sizes = tuple(window_shape) if isinstance(window_shape, tuple | list) else (window_shape,)
    axes = list(range(t.ndim)) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    if len(sizes) != len(axes):
        raise ArgumentError(f"sliding_window_view: {len(sizes)} window sizes for {len(axes)} axes; give one for each.")
    for a, size in zip(axes, sizes):
        a = normal_axis("sliding_window_view", a, t.ndim)
        n = typeof(x).shape[a] - size + 1
        if size < 1 or n < 1:
            raise ShapeError(f"sliding_window_view: a window of {size} does not fit axis {a} of {typeof(x)}.")
        places = np.arange(n)[:, None] + np.arange(size)
        x = moveaxis(getitem(x, (*[WHOLE] * a, places)), a + 1, -1)
    return x
