"""A pooling layer makes one number of every window of its input, and learns nothing."""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array
from chainrule.errors import ArgumentError
from chainrule.ops import adaptive, pooling
from chainrule.ops.columns import per_axis

from .checks import expected, places
from .function_module import REQUIRED, FunctionModule


def windows(module: Any) -> None:
    """The stride is the window's size where none is given; numbers are checked, and padding is at most half a window."""
    module.stride = module.kernel_size if module.stride is None else module.stride
    name, rank = type(module).__name__, type(module).rank
    given = {option: per_axis(f"{name}: {option}", getattr(module, option), rank, int(option != "padding"))
             for option in ("kernel_size", "stride", "padding", "dilation") if hasattr(module, option)}
    if any(2 * p > k for p, k in zip(given["padding"], given["kernel_size"])):
        raise ArgumentError(f"{name}: padding={module.padding!r} is more than half of kernel_size={module.kernel_size!r}, so "
                            "some windows would hold nothing but padding.")


def targets(module: Any) -> None:
    per_axis(f"{type(module).__name__}: output_size", [1 if n is None else n for n in module.output_size] if isinstance(
        module.output_size, tuple | list) else module.output_size, type(module).rank, 1)


class Pooling:
    """What pooling layers share: a number of axes of space, and the check that the input has them."""

    rank: int

    def forward(self, input: Array) -> Array:
        expected(self, input, *places(self.rank))
        return super().forward(input)  # type: ignore[misc]


MAX: dict[str, Any] = {"check": windows, "positional": 4, "kernel_size": REQUIRED, "stride": None, "padding": 0, "dilation": 1,
                       "ceil_mode": False}
AVERAGE: dict[str, Any] = {"check": windows, "shown": ("kernel_size", "stride", "padding"), "kernel_size": REQUIRED,
                           "stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True}
ADAPTIVE: dict[str, Any] = {"check": targets, "output_size": REQUIRED}


# ---------------------------------------------------------------------------------------- maximum
class MaxPool1d(Pooling, FunctionModule, function=pooling.max_pool1d, **MAX):
    """The maximum of each window of (batch, channels, length); options as in `MaxPool2d`."""

    rank = 1


class MaxPool2d(Pooling, FunctionModule, function=pooling.max_pool2d, **MAX):
    """The maximum of each window of (batch, channels, height, width), or without a batch.

    `stride` is the window's size where not given; padding is never the maximum; with `ceil_mode`, windows may reach beyond the
    end. The gradient goes to the first maximum of a window. Raises ArgumentError, ShapeError.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.MaxPool2d(2)(np.zeros((2, 8, 28, 28), np.float32)).shape
    (2, 8, 14, 14)
    """

    rank = 2


class MaxPool3d(Pooling, FunctionModule, function=pooling.max_pool3d, **MAX):
    """The maximum of each window of (batch, channels, depth, height, width); options as in `MaxPool2d`."""

    rank = 3


# ---------------------------------------------------------------------------------------- average
class AvgPool1d(Pooling, FunctionModule, function=pooling.avg_pool1d, **AVERAGE):
    """The average of each window of (batch, channels, length); options as in `AvgPool2d`."""

    rank = 1


class AvgPool2d(Pooling, FunctionModule, function=pooling.avg_pool2d, **AVERAGE):
    """The average of each window of (batch, channels, height, width), or without a batch.

    `stride` is the window's size where not given; the zeros of the padding count unless `count_include_pad` is False. Raises
    ArgumentError, ShapeError.
    """

    rank = 2


class AvgPool3d(Pooling, FunctionModule, function=pooling.avg_pool3d, **AVERAGE):
    """The average of each window of (batch, channels, depth, height, width); options as in `AvgPool2d`."""

    rank = 3


# ---------------------------------------------------------------------------------------- of a given size
class AdaptiveAvgPool1d(Pooling, FunctionModule, function=adaptive.adaptive_avg_pool1d, **ADAPTIVE):
    """Averages of nearly equal stretches, so many that the result has `output_size` places."""

    rank = 1


class AdaptiveAvgPool2d(Pooling, FunctionModule, function=adaptive.adaptive_avg_pool2d, **ADAPTIVE):
    """Averages of nearly equal patches, so many that the result is of `output_size`: a number, or (height, width).

    None leaves an axis as it is. `AdaptiveAvgPool2d(1)` is the average over all places. Raises ArgumentError, ShapeError.
    """

    rank = 2


class AdaptiveAvgPool3d(Pooling, FunctionModule, function=adaptive.adaptive_avg_pool3d, **ADAPTIVE):
    """Averages of nearly equal blocks, so many that the result is of `output_size`; see `AdaptiveAvgPool2d`."""

    rank = 3


class AdaptiveMaxPool1d(Pooling, FunctionModule, function=adaptive.adaptive_max_pool1d, **ADAPTIVE):
    """Maxima of nearly equal stretches, so many that the result has `output_size` places."""

    rank = 1


class AdaptiveMaxPool2d(Pooling, FunctionModule, function=adaptive.adaptive_max_pool2d, **ADAPTIVE):
    """Maxima of nearly equal patches, so many that the result is of `output_size`; see `AdaptiveAvgPool2d`."""

    rank = 2


class AdaptiveMaxPool3d(Pooling, FunctionModule, function=adaptive.adaptive_max_pool3d, **ADAPTIVE):
    """Maxima of nearly equal blocks, so many that the result is of `output_size`; see `AdaptiveAvgPool2d`."""

    rank = 3
