"""Columns are the windows of an array laid out so that sliding a kernel over it becomes one matrix product.

The technique is im2col (Chellapilla, Puri, Simard 2006). Plain NumPy: `convolution` and `pooling` make operations of it.
"""
from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from chainrule.core.type import Array, Shape
from chainrule.errors import ArgumentError

Padding = tuple[tuple[int, int], ...]
COLUMNS = 1 << 18  # elements of columns made at a time: they stay in the cache, and memory stays bounded


def per_axis(name: str, value: Any, rank: int, least: int) -> Shape:
    """An option given as one number for all spatial axes, or as one for each."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * rank
    if len(values) != rank or not all(isinstance(v, int | np.integer) and v >= least for v in values):
        raise ArgumentError(f"{name}={value!r}: give an integer of at least {least}, or one for each of {rank} spatial axes.")
    return tuple(map(int, values))


def pads(padding: Any, extent: Shape, stride: Shape) -> Padding:
    """Zeros put before and after each spatial axis; `extent` is how far a window reaches beyond its first place."""
    if padding == "valid":
        return ((0, 0),) * len(extent)
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ArgumentError(f"padding='same' keeps the size, which a stride of {stride} does not. Give numbers.")
        return tuple((e // 2, e - e // 2) for e in extent)
    if isinstance(padding, tuple | list) and padding and isinstance(padding[0], tuple | list):
        return tuple((int(low), int(high)) for low, high in padding)
    return tuple((p, p) for p in per_axis("padding", padding, len(extent), 0))


def padded(x: Array, padding: Padding) -> Array:
    """Zeros around the spatial axes; a negative number cuts off instead."""
    if not any(map(any, padding)):
        return x
    wide: Array = np.zeros((*x.shape[:2], *(n + low + high for n, (low, high) in zip(x.shape[2:], padding))), x.dtype)
    target = tuple(slice(max(low, 0), n + low + min(high, 0)) for n, (low, high) in zip(x.shape[2:], padding))
    source = tuple(slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(x.shape[2:], padding))
    wide[(..., *target)] = x[(..., *source)]
    return wide


def columns(x: Array, kernel: Shape, size: Shape, stride: Shape, dilation: Shape, groups: int) -> Array:
    """Every window of padded data as a column: (examples, groups, channels * kernel, places)."""
    first, space = x.strides[:2], x.strides[2:]
    windows = np.lib.stride_tricks.as_strided(
        x, (*x.shape[:2], *kernel, *size),
        (*first, *(a * d for a, d in zip(space, dilation)), *(a * s for a, s in zip(space, stride))), writeable=False)
    return windows.reshape(len(x), groups, x.shape[1] // groups * prod(kernel), prod(size))


def few_at_a_time(examples: int, each: int) -> Iterator[slice]:
    """Slices of the examples, so many that their columns do not grow large."""
    step = max(1, COLUMNS // max(each, 1))
    return (slice(start, start + step) for start in range(0, examples, step))


def slide(x: Array, weight: Array, size: Shape, stride: Shape, dilation: Shape, groups: int) -> Array:
    """The convolution of padded data."""
    out, kernel = len(weight), weight.shape[2:]
    rows = weight.reshape(groups, out // groups, -1)
    y = np.empty((len(x), groups, out // groups, prod(size)), np.result_type(x, weight))
    for some in few_at_a_time(len(x), x.shape[1] * prod(kernel) * prod(size)):
        np.matmul(rows, columns(x[some], kernel, size, stride, dilation, groups), out=y[some])
    return y.reshape(len(x), out, *size)


def spread_out(g: Array, weight: Array, wide: Shape, stride: Shape, dilation: Shape, groups: int) -> Array:
    """The transpose of `slide` in its data: each place adds its multiple of the kernel to its window."""
    kernel, size = weight.shape[2:], g.shape[2:]
    rows = weight.reshape(groups, len(weight) // groups, -1).swapaxes(1, 2)
    x: Array = np.zeros((len(g), weight.shape[1] * groups, *wide), np.result_type(g, weight))
    for some in few_at_a_time(len(g), x.shape[1] * prod(kernel) * prod(size)):
        part = x[some]
        made = np.matmul(rows, g[some].reshape(len(part), groups, len(weight) // groups, -1))
        made = made.reshape(*part.shape[:2], *kernel, *size)
        for offset in np.ndindex(*kernel):
            reach = tuple(slice(o * d, o * d + (n - 1) * s + 1, s) for o, d, n, s in zip(offset, dilation, size, stride))
            part[(..., *reach)] += made[(slice(None), slice(None), *offset)]
    return x


def flipped(weight: Array, groups: int) -> Array:
    """The kernel whose convolution undoes the places: reversed in space, inputs and outputs exchanged."""
    out, channels, *kernel = weight.shape
    apart = weight.reshape(groups, out // groups, channels, *kernel).swapaxes(1, 2)
    return apart[(..., *[slice(None, None, -1)] * len(kernel))].reshape(groups * channels, out // groups, *kernel)


def gathered(x: Array, g: Array, kernel: Shape, stride: Shape, dilation: Shape, groups: int) -> Array:
    """The transpose of `slide` in its kernel: the scalar products of every place's gradient with its window."""
    size, out = g.shape[2:], g.shape[1]
    total = np.zeros((groups, out // groups, x.shape[1] // groups * prod(kernel)), np.result_type(x, g))
    for some in few_at_a_time(len(x), x.shape[1] * prod(kernel) * prod(size)):
        seen = columns(x[some], kernel, size, stride, dilation, groups)
        total += np.matmul(g[some].reshape(len(seen), groups, out // groups, -1), seen.swapaxes(2, 3)).sum(0)
    return total.reshape(out, x.shape[1] // groups, *kernel)
