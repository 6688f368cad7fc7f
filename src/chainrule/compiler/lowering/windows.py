"""Windows of an array fold into one number each: pools, and their gradients.

Which place of a window holds its first maximum is found once, as a small number for each window; both the gradient of a maximum
and what is gathered by it follow from that number.
"""
from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from chainrule.core.stage import Line
from chainrule.core.type import Shape, Type
from chainrule.ops.columns import Padding
from chainrule.ops.pooling import counts

from ..loops.language import Origin
from ..plan import Step, View
from .affine import Affine
from .building import Builder, Handler
from .emission import Context, neutral
from .handwork import Hand, everywhere
from .nodes import Ref
from .scalars import Scalar, maximum

PLACES = 64
"""Windows of more places are left to NumPy."""
SMALL = np.dtype(np.int8)


class Windows:
    """How windows lie over an array: for each place in a window, the elements there of all windows."""

    def __init__(self, shape: Shape, size: Shape, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> None:
        self.shape, self.size, self.kernel, self.stride = shape, size, kernel, stride
        self.padding, self.dilation = padding, dilation

    @property
    def places(self) -> list[Shape]:
        return list(product(*map(range, self.kernel)))

    @property
    def tiles(self) -> bool:
        """Whether each element is in one window."""
        return self.kernel == self.stride and not any(map(any, self.padding)) and all(d == 1 for d in self.dilation)

    def at(self, writer: Any, place: tuple[Affine, ...]) -> Iterator[tuple[tuple[Affine, ...], Scalar | None]]:
        """For each place in the window at `place`, where it is in the array, and whether it is there at all."""
        for offset in self.places:
            inside: Scalar | None = None
            index = list(place[:2])
            for i, s, o, d, (low, _), n in zip(place[2:], self.stride, offset, self.dilation, self.padding, self.shape):
                here = i.scaled(s).shifted(o * d - low)
                index.append(here)
                first, last = here.bounds(writer.sizes)
                if first < 0:
                    inside = both(inside, writer.position(here) >= 0)
                if last >= n:
                    inside = both(inside, writer.position(here) < n)
            yield tuple(index), inside


def both(a: Scalar | None, b: Scalar) -> Scalar:
    return b if a is None else a & b


def windows_of(data: Shape, results: Shape, options: dict[str, Any]) -> Windows | None:
    """The windows of a line's options, or None where they are too large, or nothing is in them."""
    options = {"dilation": (1,) * len(options["kernel"]), **options}
    options.pop("counted", None)
    made = Windows(data[2:], results[2:], **options)
    return None if len(made.places) > PLACES or 0 in (*data, *results) else made


def elements(context: Context, k: int, windows: Windows, low: Any) -> Iterator[Scalar]:
    """The elements of foreign array `k` in a window; `low` in place of those that are not there."""
    for index, inside in windows.at(context.writer, context.place):
        value = context.read(k, index, inside)
        yield value if inside is None or low == 0 else inside.chosen(value, low)


# ---------------------------------------------------------------------------------------- maximum
def max_windows(builder: Builder, line: Line, x: Ref, **options: Any) -> Ref | None:
    """The maximum of each window."""
    target = line.targets[0].type
    windows = windows_of(x.shape, target.shape, options)
    if windows is None:
        return None

    def run(context: Context) -> Scalar:
        first, *others = elements(context, 0, windows, neutral("max", x.dtype))
        for value in others:
            first = maximum(first, value)
        return first
    return builder.map(run, target.shape, target.dtype, foreign=(x,))


def winners(builder: Builder, x: Ref, y: Ref, windows: Windows) -> Ref:
    """The number of the place that holds the first maximum of each window; a NaN is one."""
    def run(context: Context, top: Scalar) -> Scalar:
        values = list(elements(context, 0, windows, neutral("max", x.dtype)))
        number = context.constant(len(values) - 1, SMALL)
        for k in reversed(range(len(values) - 1)):
            number = (values[k] < top).chosen(number, context.constant(k, SMALL))
        return number
    return builder.map(run, y.shape, SMALL, y, foreign=(x,))


def max_gather(builder: Builder, line: Line, h: Ref, x: Ref, y: Ref, **options: Any) -> Ref | None:
    """The elements of an array where another one has its maxima."""
    target = line.targets[0].type
    windows = windows_of(x.shape, y.shape, options)
    if windows is None:
        return None

    def run(context: Context, number: Scalar) -> Scalar:
        total = context.constant(0, target.dtype)
        for k, value in enumerate(elements(context, 0, windows, 0)):
            total = number.equals(k).chosen(value, total)
        return total
    return builder.map(run, target.shape, target.dtype, winners(builder, x, y, windows), foreign=(h,))


def max_scatter(builder: Builder, line: Line, g: Ref, x: Ref, y: Ref, **options: Any) -> Ref | None:
    """The gradient of a maximum: at the place that holds it."""
    windows, target = windows_of(x.shape, y.shape, options), line.targets[0].type
    if windows is None:
        return None
    number = winners(builder, x, y, windows)
    if not windows.tiles:
        return spread(builder, target, [g, number], windows, lambda k, value, n: n.equals(k).chosen(value, 0))

    def run(context: Context, value: Scalar, n: Scalar) -> Scalar:
        own: Any = None
        for axis, size in zip(range(3, 3 + 2 * len(windows.kernel), 2), windows.kernel):
            step = context.position(axis)
            own = step if own is None else own * size + step
        return n.cast(np.dtype(np.int64)).equals(own).chosen(value, 0)
    return tiled(builder, target, run, [g, number], windows)


def tiled(builder: Builder, target: Type, run: Any, args: list[Ref], windows: Windows) -> Ref:
    """A map over an array cut into windows: each axis is two, the window's number and the place in it."""
    pairs = tuple(n for pair in zip(windows.size, windows.kernel) for n in pair)
    lead = target.shape[:2]
    columns = tuple(n for size in windows.size for n in (size, 1))
    spread_args = [builder.reshape(a, (*lead, *columns)) for a in args]
    return builder.reshape(builder.map(run, (*lead, *pairs), target.dtype, *spread_args), target.shape)


def spread(builder: Builder, target: Type, args: list[Ref], windows: Windows, share: Any) -> Ref:
    """Each window in turn adds `share(place, *values)` to its elements."""
    origin = builder.origin
    return builder.opaque(args, [target], lambda views, outputs: added(origin, views, outputs[0], windows, share))[0]


def added(origin: Origin, views: list[View], out: View, windows: Windows, share: Any) -> list[Step]:
    hand = Hand(origin)
    everywhere(hand, out, lambda index: hand.constant(0, out.dtype))
    channel = hand.open(*out.shape[:2])
    turns = hand.open(*windows.size)
    place = (*channel, *turns)
    values = [hand.read(view, place) for view in views]
    for k, (index, inside) in enumerate(windows.at(hand.writer, place)):
        hand.write(out, index, hand.read(out, index, inside) + share(k, *values), inside)
    hand.close(*["serial"] * len(turns))
    hand.close("parallel", "parallel")
    return [hand.launch()]


# ---------------------------------------------------------------------------------------- average
def divisors(builder: Builder, data: Shape, results: Shape, dtype: Any, options: dict[str, Any]) -> Ref:
    """How many elements count in each window, as an array that broadcasts."""
    return builder.array(np.array(counts(data[2:], results[2:], **options).astype(dtype), order="C"))


def average_windows(builder: Builder, line: Line, x: Ref, **options: Any) -> Ref | None:
    """The average of each window."""
    target = line.targets[0].type
    windows = windows_of(x.shape, target.shape, options)
    if windows is None:
        return None

    def run(context: Context, count: Scalar) -> Scalar:
        first, *others = elements(context, 0, windows, 0)
        for value in others:
            first = first + value
        return first / count
    return builder.map(run, target.shape, target.dtype, divisors(builder, x.shape, target.shape, x.dtype, options), foreign=(x,))


def average_spread(builder: Builder, line: Line, g: Ref, **options: Any) -> Ref | None:
    """The gradient of averages: every element of a window gets an equal share."""
    target = line.targets[0].type
    windows = windows_of(target.shape, g.shape, options)
    if windows is None:
        return None
    shares = builder.zip(lambda v, n: v / n, g, divisors(builder, target.shape, g.shape, g.dtype, options))
    if windows.tiles:
        return tiled(builder, target, lambda context, value: value, [shares], windows)
    return spread(builder, target, [shares], windows, lambda k, value: value)


WINDOWS: dict[str, Handler] = {
    "max_windows": max_windows, "max_gather": max_gather, "max_scatter": max_scatter, "average_windows": average_windows,
    "average_spread": average_spread,
}
