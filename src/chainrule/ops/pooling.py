"""Pooling makes one number of every window of the data: its maximum, or its average.

Max pooling passes the gradient to the first maximum of each window. Windows are visited place by place of the kernel: the
elements at one place of all windows are one strided view, so a 2 x 2 pool is four steps, whatever the size of the data.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.core.primitive import Generator, Primitive, Sample
from chainrule.core.type import Array, Shape, Type, is_float, typeof
from chainrule.errors import ArgumentError, DTypeError, ShapeError

from .broadcasting import broadcast_to, reshape
from .columns import Padding, padded, per_axis
from .convolution import over, same_call
from .families import arrays, primitive, several


# ---------------------------------------------------------------------------------------- the form of a call
def window_options(name: str, x: Type, rank: int, kernel: Any, stride: Any, padding: Any, dilation: Any,
                   ceil_mode: bool) -> dict[str, Any]:
    """Options for the primitives below; the padding is such that the windows end exactly where the padded data do."""
    kernel = per_axis("kernel_size", kernel, rank, 1)
    stride = per_axis("stride", kernel if stride is None else stride, rank, 1)
    dilation, around = per_axis("dilation", dilation, rank, 1), per_axis("padding", padding, rank, 0)
    if any(2 * p > k for p, k in zip(around, kernel)):
        raise ArgumentError(f"{name}: padding={padding!r} is more than half of kernel_size={kernel}, so some windows would hold "
                            "nothing but padding.")
    pads = []
    for n, k, s, p, d in zip(x.shape[-rank:], kernel, stride, around, dilation):
        room = n + 2 * p - d * (k - 1) - 1
        if room < 0:
            raise ShapeError(f"{name}: a window of {kernel} with dilation {dilation} is larger than the data {x} with padding "
                             f"{padding!r}.")
        steps = -(-room // s) if ceil_mode and (-(-room // s)) * s < n + p else room // s  # no window begins in the padding
        pads.append((p, p + steps * s - room))
    return {"kernel": kernel, "stride": stride, "padding": tuple(pads), "dilation": dilation}


def pooled(x: Type, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> Type:
    return Type((*x.shape[:2], *((n + low + high - d * (k - 1) - 1) // s + 1 for n, (low, high), k, s, d in zip(
        x.shape[2:], padding, kernel, stride, dilation))), x.dtype)


def places(kernel: Shape, size: Shape, stride: Shape, dilation: Shape) -> Iterator[Any]:
    """For each place of the kernel, the index of the elements there in all windows of padded data."""
    return ((..., *(slice(o * d, o * d + (n - 1) * s + 1, s) for o, d, n, s in zip(offset, dilation, size, stride)))
            for offset in np.ndindex(*kernel))


def surrounded(x: Array, padding: Padding) -> Array:
    """The data with minus infinity around them, which is nowhere the maximum."""
    if not any(map(any, padding)):
        return x
    low = -np.inf if is_float(x.dtype) else np.iinfo(x.dtype).min
    return np.where(padded(np.ones(x.shape, bool), padding), padded(x, padding), x.dtype.type(low))


def cropped(x: Array, padding: Padding) -> Array:
    return padded(x, tuple((-low, -high) for low, high in padding))


def as_examples(prim: Callable[[], Primitive]) -> Callable[..., Any]:
    """The batch rule: the batch is more examples."""
    def batch(flags: list[bool], *args: Array, **params: Any) -> Array:
        size = next(typeof(a).shape[0] for a, many in zip(args, flags) if many)
        full = (a if many else broadcast_to(a, (size, *typeof(a).shape)) for a, many in zip(args, flags))
        y = prim()(*(reshape(a, (-1, *typeof(a).shape[2:])) for a in full), **params)
        return reshape(y, (size, -1, *typeof(y).shape[1:]))
    return batch


# ---------------------------------------------------------------------------------------- maximum
POOLS: tuple[dict[str, Any], ...] = (
    {"kernel": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)},
    {"kernel": (2, 3), "stride": (1, 2), "padding": ((1, 0), (0, -1)), "dilation": (2, 1)})


def drawn(*kinds: str) -> Callable[[Generator], list[Sample]]:
    """Samples for each set of options in `POOLS`: data (for "x") and results (for "y") that belong to them."""
    def make(rng: Generator) -> list[Sample]:
        made = []
        for params, shape in zip(POOLS, ((2, 3, 6), (2, 1, 4, 6))):
            x = rng.normal(size=shape)
            y = max_windows(x, **params)
            given = {"x": x, "y": y, "data": rng.normal(size=shape), "results": rng.normal(size=y.shape)}
            made.append(Sample(tuple(given[kind] for kind in kinds), params))
        return made
    return make


def winners(x: Array, y: Array, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> Iterator[tuple[Any, Array]]:
    """For each place of the kernel, in which windows it holds the first maximum."""
    wide = surrounded(x, padding)
    free = np.ones(y.shape, bool)
    for place in places(kernel, y.shape[2:], stride, dilation):
        won = free > (wide[place] < y)  # free and not less: a NaN, which is not less either, wins too
        free ^= won
        yield place, won


def keeper(x: Array) -> Callable[[Array, Array], Array]:
    """How to keep elements where a mask holds, with 0 elsewhere: a product is three times faster, but infinity * 0 is not 0."""
    return np.multiply if np.isfinite(x).all() else lambda values, mask: np.where(mask, values, values.dtype.type(0))


@primitive(
    backward=(lambda g, y, x, **params: max_scatter(g, x, y, **params),),
    tangent=lambda tangents, y, x, **params: max_gather(tangents[0], x, y, **params),
    result=pooled, prepare=same_call, batch=as_examples(lambda: max_windows), samples=drawn("x"),
    tex=r"\operatorname{{maxpool}}({0})")
def max_windows(x: Array, *, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> Array:
    """The maximum of each window. The gradient goes to the first maximum."""
    size = pooled(typeof(x), kernel, stride, padding, dilation).shape[2:]
    wide = surrounded(x, padding)
    first, *others = places(kernel, size, stride, dilation)
    y = wide[first].copy()
    for place in others:
        np.maximum(y, wide[place], out=y)
    return y


@primitive(
    backward=(lambda h, d, g, x, y, **params: max_gather(h, x, y, **params), None, None),
    tangent=lambda tangents, d, g, x, y, **params: max_scatter(tangents[0], x, y, **params),
    result=lambda g, x, y, **params: Type(x.shape, g.dtype), prepare=same_call, batch=as_examples(lambda: max_scatter),
    samples=drawn("results", "x", "y"))
def max_scatter(g: Array, x: Array, y: Array, *, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> Array:
    """The gradient of max pooling: each element of `g` added at the first maximum of its window in `x`, which is `y`."""
    d: Array = np.zeros((*x.shape[:2], *(n + low + high for n, (low, high) in zip(x.shape[2:], padding))), g.dtype)
    keep = keeper(g)
    for place, won in winners(x, y, kernel, stride, padding, dilation):
        d[place] += keep(g, won)
    return cropped(d, padding)


@primitive(
    backward=(lambda g, y2, h, x, y, **params: max_scatter(g, x, y, **params), None, None),
    tangent=lambda tangents, y2, h, x, y, **params: max_gather(tangents[0], x, y, **params),
    result=lambda h, x, y, **params: Type(y.shape, h.dtype), prepare=same_call, batch=as_examples(lambda: max_gather),
    samples=drawn("data", "x", "y"))
def max_gather(h: Array, x: Array, y: Array, *, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> Array:
    """The elements of `h` at the first maximum of each window in `x`, which is `y`."""
    wide = padded(h, padding)
    d = np.zeros(y.shape, h.dtype)
    keep = keeper(h)
    for place, won in winners(x, y, kernel, stride, padding, dilation):
        d += keep(wide[place], won)
    return d


def max_pool(rank: int, x: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Array:
    options = window_options(f"max_pool{rank}d", typeof(x), rank, kernel, stride, padding, dilation, ceil_mode)
    return over(rank, f"max_pool{rank}d", x, lambda x: max_windows(x, **options))


def max_pool1d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, *,
               ceil_mode: bool = False) -> Array:
    """The maximum of each window of x (N, C, L); the stride is the window's size where not given. As PyTorch's."""
    return max_pool(1, x, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, *,
               ceil_mode: bool = False) -> Array:
    """The maximum of each window of x (N, C, H, W); the stride is the window's size where not given. As PyTorch's.

    The gradient goes to the first maximum of the window. Padding is never the maximum.

    >>> import chainrule as cr, numpy as np
    >>> cr.max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    return max_pool(2, x, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, *,
               ceil_mode: bool = False) -> Array:
    """The maximum of each window of x (N, C, D, H, W); the stride is the window's size where not given. As PyTorch's."""
    return max_pool(3, x, kernel_size, stride, padding, dilation, ceil_mode)


# ---------------------------------------------------------------------------------------- average
@lru_cache(maxsize=256)
def counts(size: Shape, places: Shape, kernel: Shape, stride: Shape, padding: Padding, counted: Padding) -> Array:
    """How many elements count in each window: those of the data, and of the padding as far as `counted`."""
    total: Array = np.ones(())
    for n, m, k, s, (low, _), (before, after) in zip(size, places, kernel, stride, padding, counted):
        start = np.arange(m) * s - low
        total = np.multiply.outer(total, np.minimum(start + k, n + after) - np.maximum(start, -before))
    return total


def divided(y: Array, size: Shape, places: Shape, **params: Any) -> Array:
    return np.divide(y, counts(size, places, **params).astype(y.dtype))


def average_type(x: Type, kernel: Shape, stride: Shape, padding: Padding, counted: Padding) -> Type:
    if not is_float(x.dtype):
        raise DTypeError(f"avg_pool: {x} holds no real numbers; convert with .astype('float32').")
    return pooled(x, kernel, stride, padding, (1,) * len(kernel))


AVERAGES = several(
    arrays((2, 3, 6), kernel=(2,), stride=(2,), padding=((0, 0),), counted=((0, 0),)),
    arrays((2, 1, 4, 5), kernel=(2, 3), stride=(1, 2), padding=((1, 0), (1, 1)), counted=((0, 0), (1, 1))))


@primitive(
    backward=(lambda g, y, x, **params: average_spread(g, **params),),
    tangent=lambda tangents, y, x, **params: average_windows(tangents[0], **params),
    result=average_type, prepare=same_call, batch=as_examples(lambda: average_windows), samples=AVERAGES,
    tex=r"\operatorname{{avgpool}}({0})")
def average_windows(x: Array, *, kernel: Shape, stride: Shape, padding: Padding, counted: Padding) -> Array:
    """The average of each window."""
    one = (1,) * len(kernel)
    size = average_type(typeof(x), kernel, stride, padding, counted).shape[2:]
    wide = padded(x, padding)
    first, *others = places(kernel, size, stride, one)
    y = wide[first].copy()
    for place in others:
        y += wide[place]
    return divided(y, x.shape[2:], size, kernel=kernel, stride=stride, padding=padding, counted=counted)


def spread_type(g: Type, kernel: Shape, stride: Shape, padding: Padding, counted: Padding) -> Type:
    return Type((*g.shape[:2], *((m - 1) * s + k - low - high for m, s, k, (low, high) in zip(
        g.shape[2:], stride, kernel, padding))), g.dtype)


@primitive(
    backward=(lambda h, y, g, **params: average_windows(h, **params),),
    tangent=lambda tangents, y, g, **params: average_spread(tangents[0], **params),
    result=spread_type, prepare=same_call, batch=as_examples(lambda: average_spread), samples=AVERAGES)
def average_spread(g: Array, *, kernel: Shape, stride: Shape, padding: Padding, counted: Padding) -> Array:
    """The gradient of average pooling: every element of a window gets its equal share."""
    size = spread_type(typeof(g), kernel, stride, padding, counted).shape[2:]
    share = divided(g, size, g.shape[2:], kernel=kernel, stride=stride, padding=padding, counted=counted)
    d: Array = np.zeros((*g.shape[:2], *(n + low + high for n, (low, high) in zip(size, padding))), g.dtype)
    for place in places(kernel, g.shape[2:], stride, (1,) * len(kernel)):
        d[place] += share
    return cropped(d, padding)


def avg_pool(rank: int, x: Array, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool) -> Array:
    options = window_options(f"avg_pool{rank}d", typeof(x), rank, kernel, stride, padding, 1, ceil_mode)
    del options["dilation"]
    counted = tuple((p * count_include_pad,) * 2 for p, _ in options["padding"])
    return over(rank, f"avg_pool{rank}d", x, lambda x: average_windows(x, counted=counted, **options))


def avg_pool1d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, *, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Array:
    """The average of each window of x (N, C, L), with the zeros of the padding counted or not. As PyTorch's."""
    return avg_pool(1, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, *, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Array:
    """The average of each window of x (N, C, H, W), with the zeros of the padding counted or not. As PyTorch's."""
    return avg_pool(2, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool3d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, *, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Array:
    """The average of each window of x (N, C, D, H, W), with the zeros of the padding counted or not. As PyTorch's."""
    return avg_pool(3, x, kernel_size, stride, padding, ceil_mode, count_include_pad)
