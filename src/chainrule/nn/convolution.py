"""A convolutional layer slides learned kernels over its input: the same weights at every place."""
from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, ClassVar

from chainrule.core.type import Array
from chainrule.errors import ArgumentError
from chainrule.ops.columns import pads, per_axis
from chainrule.ops.convolution import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from chainrule.ops.rearrangement import pad
from chainrule.random import Generator, Source

from .checks import at_least, expected, places
from .linear import drawn
from .module import Module

MODES = {"zeros": None, "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""PyTorch's names of what stands around the input, and those of `cr.pad`; zeros are the convolution's own."""


class Kernels(Module):
    """What layers with kernels share: their sizes, options, weights, and how they are printed. `rank` is the number of axes."""

    rank: ClassVar[int]
    transposed: ClassVar[bool] = False
    weight: Any
    bias: Any
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Any

    def set_up(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
               groups: int, bias: bool, padding_mode: str, dtype: Any, generator: Generator | Source | None) -> None:
        """Check and keep the options, and draw weights and biases as PyTorch does: uniform, by the size of a window."""
        name = type(self).__name__
        at_least(name, 1, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(f"{name}: groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}.")
        if padding_mode not in (["zeros"] if self.transposed else MODES):
            raise ArgumentError(f"{name}: padding_mode={padding_mode!r} is none of "
                                f"{', '.join(map(repr, ['zeros'] if self.transposed else MODES))}.")
        self.in_channels, self.out_channels, self.groups, self.padding_mode = in_channels, out_channels, groups, padding_mode
        for option, value in {"kernel_size": kernel_size, "stride": stride, "dilation": dilation}.items():
            setattr(self, option, per_axis(f"{name}: {option}", value, self.rank, 1))
        if isinstance(padding, str) and (padding not in ("same", "valid") or self.transposed):
            raise ArgumentError(f"{name}: padding={padding!r}: give a whole number, one for each axis"
                                f"{'' if self.transposed else ', or same or valid'}.")
        self.padding = padding if isinstance(padding, str) else per_axis(f"{name}: padding", padding, self.rank, 0)
        if padding == "same":
            pads(padding, (0,) * self.rank, self.stride)  # raises where the stride is not 1
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (first, second // groups, *self.kernel_size)
        drawn(self, shape, out_channels if bias else None, prod(shape[1:]), dtype, generator)

    def extra_repr(self) -> str:
        defaults = {"padding": (0,) * self.rank, "dilation": (1,) * self.rank, "output_padding": (0,) * self.rank, "groups": 1}
        changed = [f"{k}={v}" for k, d in defaults.items() if (v := getattr(self, k, d)) != d]
        return ", ".join([str(self.in_channels), str(self.out_channels), f"kernel_size={self.kernel_size}",
                          f"stride={self.stride}", *changed, *(["bias=False"] if self.bias is None else []),
                          *([f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else [])])


# ---------------------------------------------------------------------------------------- convolutions
class Convolution(Kernels):
    """A convolution of data with `rank` axes of space; see `Conv2d`."""

    run: ClassVar[Callable[..., Array]]

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", *, dtype: Any = "float32",
                 generator: Generator | Source | None = None) -> None:
        self.set_up(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, dtype,
                    generator)

    def forward(self, input: Array) -> Array:
        t = expected(self, input, *places(self.rank), axis=-self.rank - 1, in_channels=self.in_channels)
        padding, mode = self.padding, MODES[self.padding_mode]
        if mode is not None:
            extent = tuple(d * (k - 1) for d, k in zip(self.dilation, self.kernel_size))
            around = pads(padding, extent, self.stride)
            input, padding = pad(input, ((0, 0),) * (t.ndim - self.rank) + around, mode), 0
        return type(self).run(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(Convolution):
    """A convolution along one axis: (batch, in_channels, length) to (batch, out_channels, length); options as in `Conv2d`."""

    rank, run = 1, staticmethod(conv1d)


class Conv2d(Convolution):
    """A convolution of images: (batch, in_channels, height, width) to (batch, out_channels, height, width), or without a batch.

    `kernel_size`, `stride`, `padding` and `dilation` are one number, or one for each axis; `padding` may also be "same", which
    keeps the size, or "valid", none. What stands around the image is `padding_mode`: "zeros", "reflect", "replicate" or
    "circular". With `groups`, channels are convolved in so many separate groups. `weight` has shape (out_channels, in_channels /
    groups, *kernel_size), `bias` (out_channels,); both start uniform in plus or minus one over the root of the size of a window,
    as PyTorch's do.

    Raises ArgumentError, ShapeError. LeCun et al., "Backpropagation applied to handwritten zip code recognition", 1989.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.Conv2d(3, 8, 5, padding="same")(np.zeros((2, 3, 28, 28), np.float32)).shape
    (2, 8, 28, 28)
    """

    rank, run = 2, staticmethod(conv2d)


class Conv3d(Convolution):
    """A convolution of volumes, (batch, in_channels, depth, height, width); options as in `Conv2d`."""

    rank, run = 3, staticmethod(conv3d)


# ---------------------------------------------------------------------------------------- transposed
class TransposedConvolution(Kernels):
    """The transpose of a convolution of data with `rank` axes of space; see `ConvTranspose2d`."""

    run: ClassVar[Callable[..., Array]]
    transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros", *,
                 dtype: Any = "float32", generator: Generator | Source | None = None) -> None:
        self.set_up(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, dtype,
                    generator)
        self.output_padding = per_axis(f"{type(self).__name__}: output_padding", output_padding, self.rank, 0)

    def forward(self, input: Array, output_size: Any = None) -> Array:
        t = expected(self, input, *places(self.rank), axis=-self.rank - 1, in_channels=self.in_channels)
        extra = self.output_padding if output_size is None else self.missing(t.shape[-self.rank:], output_size)
        return type(self).run(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def missing(self, size: tuple[int, ...], wanted: Any) -> tuple[int, ...]:
        """How much must be added at the end of each axis for the result to have the size that is wanted."""
        given = wanted if isinstance(wanted, int) else tuple(wanted)[-self.rank:]
        wanted = per_axis(f"{type(self).__name__}: output_size", given, self.rank, 1)
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in zip(
            size, self.stride, self.padding, self.dilation, self.kernel_size)]
        if any(not 0 <= w - n < s for w, n, s in zip(wanted, least, self.stride)):
            raise ArgumentError(f"{type(self).__name__}: output_size={wanted} cannot be reached from {size}: sizes from "
                                f"{tuple(least)} to {tuple(n + s - 1 for n, s in zip(least, self.stride))} can.")
        return tuple(w - n for w, n in zip(wanted, least))


class ConvTranspose1d(TransposedConvolution):
    """The transpose of a convolution along one axis, (batch, in_channels, length); options as in `ConvTranspose2d`."""

    rank, run = 1, staticmethod(conv_transpose1d)


class ConvTranspose2d(TransposedConvolution):
    """The transpose of a convolution of images, which makes them larger: every element of the input spreads over a window.

    Options as in `Conv2d`. Where a stride leaves open which of several sizes the result has, `output_padding` adds to the least,
    or `output_size` in the call names it. `weight` has shape (in_channels, out_channels / groups, *kernel_size). Raises
    ArgumentError, ShapeError. Zeiler et al., "Deconvolutional networks", CVPR 2010.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)(np.zeros((2, 8, 14, 14), np.float32)).shape
    (2, 3, 28, 28)
    """

    rank, run = 2, staticmethod(conv_transpose2d)


class ConvTranspose3d(TransposedConvolution):
    """The transpose of a convolution of volumes, (batch, in_channels, depth, height, width); options as in `ConvTranspose2d`."""

    rank, run = 3, staticmethod(conv_transpose3d)
