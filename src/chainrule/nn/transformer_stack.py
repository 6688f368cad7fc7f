"""A transformer stack is several transformer layers one after another, copies of one that is given."""
from __future__ import annotations

import copy
from typing import Any

from chainrule.core.type import Array
from chainrule.errors import ArgumentError

from .checks import at_least
from .container import ModuleList
from .module import Module


def copies(name: str, layer: Module, number: int) -> ModuleList:
    """As many copies of a layer, which begin with the same weights, as PyTorch's do."""
    if not isinstance(layer, Module):
        raise ArgumentError(f"{name}: the layer to be copied is a {type(layer).__name__}, not a module.")
    at_least(name, 1, num_layers=number)
    return ModuleList([copy.deepcopy(layer) for _ in range(number)])


class TransformerEncoder(Module):
    """`num_layers` copies of an encoder layer one after another, and a normalization `norm` at the end, if one is given.

    The copies begin with the same weights; for others, put layers of their own into `Sequential` or `layers`. Called with
    (src, mask, src_key_padding_mask, is_causal), which go to each layer. Raises ArgumentError, ShapeError.

    >>> import chainrule as cr, numpy as np
    >>> layer = cr.nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> cr.nn.TransformerEncoder(layer, num_layers=2)(np.zeros((2, 5, 8), np.float32), is_causal=True).shape
    (2, 5, 8)
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = copies("TransformerEncoder", encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(self, src: Array, mask: Array = None, src_key_padding_mask: Array = None, is_causal: bool = False) -> Any:
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """`num_layers` copies of a decoder layer one after another, and a normalization `norm` at the end, if one is given.

    Called with (tgt, memory) and masks, which go to each layer, as in `TransformerDecoderLayer`. Raises ArgumentError,
    ShapeError.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = copies("TransformerDecoder", decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(self, tgt: Array, memory: Array, tgt_mask: Array = None, memory_mask: Array = None,
                tgt_key_padding_mask: Array = None, memory_key_padding_mask: Array = None, tgt_is_causal: bool = False,
                memory_is_causal: bool = False) -> Any:
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
                        memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)
