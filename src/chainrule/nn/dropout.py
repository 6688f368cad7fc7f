"""Dropout makes a network rely on none of its values in particular, by dropping some at random while it learns."""
from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from chainrule.core.type import Array
from chainrule.random import dropout

from .checks import chance, expected, places
from .module import Module


class Dropout(Module):
    """While training, each element is 0 with chance `p`, else divided by `1 - p`; after `eval()`, the input itself.

    `inplace` is taken for PyTorch's sake, and changes nothing. Raises ArgumentError. Srivastava et al., "Dropout: a simple way to
    prevent neural networks from overfitting", JMLR 2014.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        chance(type(self).__name__, p=p)
        self.p, self.inplace = p, inplace

    def forward(self, x: Array) -> Array:
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class ChannelDropout(Dropout):
    """Dropout of whole channels of data with `rank` axes of space; see `Dropout2d`."""

    rank: ClassVar[int]

    def forward(self, x: Array) -> Any:
        t = expected(self, x, *places(self.rank))
        if not self.training or self.p == 0:
            return x
        return x * dropout(np.ones((*t.shape[:-self.rank], *[1] * self.rank), t.dtype), self.p)


class Dropout1d(ChannelDropout):
    """Dropout of whole channels of (batch, channels, length), or without a batch."""

    rank = 1


class Dropout2d(ChannelDropout):
    """While training, each channel of each example is 0 with chance `p`, else divided by `1 - p`: neighbours in it are alike.

    The input is (batch, channels, height, width), or without a batch. Raises ArgumentError, ShapeError. Tompson et al.,
    "Efficient object localization using convolutional networks", CVPR 2015.
    """

    rank = 2


class Dropout3d(ChannelDropout):
    """Dropout of whole channels of (batch, channels, depth, height, width), or without a batch."""

    rank = 3
