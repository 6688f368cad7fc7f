"""A transformer layer is attention, then a small network at each place, each added to what it was given."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.core.type import Array
from chainrule.errors import ArgumentError
from chainrule.ops.activation import relu
from chainrule.ops.gelu import gelu
from chainrule.random import Generator, Source

from .attention import MultiheadAttention
from .checks import at_least
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": relu, "gelu": gelu}


class TransformerLayer(Module):
    """What encoder and decoder layers share: their parts, by PyTorch's names, and the order of sum and normalization."""

    activation: Any
    linear1: Linear
    linear2: Linear

    def set_up(self, attentions: tuple[str, ...], d_model: int, nhead: int, dim_feedforward: int, dropout: float,
               activation: Any, eps: float, batch_first: bool, norm_first: bool, bias: bool, dtype: Any,
               generator: Generator | Source | None) -> None:
        name = type(self).__name__
        at_least(name, 1, d_model=d_model, nhead=nhead, dim_feedforward=dim_feedforward)
        if not callable(activation) and activation not in ACTIVATIONS:
            raise ArgumentError(f"{name}: activation={activation!r} is none of {', '.join(map(repr, ACTIVATIONS))}, and no "
                                "function or module.")
        self.norm_first, self.activation = norm_first, activation
        for attention in attentions:
            setattr(self, attention, MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype,
                                                        generator=generator))
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype, generator=generator)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype, generator=generator)
        for i in range(1, len(attentions) + 2):
            setattr(self, f"norm{i}", LayerNorm(d_model, eps, bias=bias, dtype=dtype))
            setattr(self, f"dropout{i}", Dropout(dropout))

    def added(self, x: Array, number: int, block: Callable[[Array], Array]) -> Array:
        """The sum of `x` and what the block makes of it, normalized before or after."""
        norm, drop = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        return x + drop(block(norm(x))) if self.norm_first else norm(x + drop(block(x)))

    def feed_forward(self, x: Array) -> Array:
        bend = self.activation if callable(self.activation) else ACTIVATIONS[self.activation]
        return self.linear2(self.dropout(bend(self.linear1(x))))


class TransformerEncoderLayer(TransformerLayer):
    """Attention of a sequence to itself, then two linear layers at each place, each with a sum and a normalization.

    (places, batch, d_model), with `batch_first` (batch, places, d_model), or without a batch, to the same. `activation` stands
    between the linear layers, of which the first has `dim_feedforward` outputs: "relu", "gelu", a function or a module. With
    `norm_first`, normalization comes before each part, else after each sum. Masks and `is_causal` are those of
    `MultiheadAttention`. Raises ArgumentError, ShapeError. Vaswani et al., "Attention is all you need", NeurIPS 2017.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.TransformerEncoderLayer(8, nhead=2, batch_first=True)(np.zeros((2, 5, 8), np.float32)).shape
    (2, 5, 8)
    """

    self_attn: MultiheadAttention

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = "relu",
                 layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True, *,
                 dtype: Any = "float32", generator: Generator | Source | None = None) -> None:
        self.set_up(("self_attn",), d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
                    bias, dtype, generator)

    def forward(self, src: Array, src_mask: Array = None, src_key_padding_mask: Array = None, is_causal: bool = False) -> Array:
        def attention(x: Array) -> Array:
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]
        return self.added(self.added(src, 1, attention), 2, self.feed_forward)


class TransformerDecoderLayer(TransformerLayer):
    """Attention of a sequence to itself, then to a `memory`, then two linear layers at each place.

    Called with (tgt, memory); forms and options are those of `TransformerEncoderLayer`, masks come for both attentions. Raises
    ArgumentError, ShapeError. Vaswani et al., "Attention is all you need", NeurIPS 2017.
    """

    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = "relu",
                 layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True, *,
                 dtype: Any = "float32", generator: Generator | Source | None = None) -> None:
        self.set_up(("self_attn", "multihead_attn"), d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                    batch_first, norm_first, bias, dtype, generator)

    def forward(self, tgt: Array, memory: Array, tgt_mask: Array = None, memory_mask: Array = None,
                tgt_key_padding_mask: Array = None, memory_key_padding_mask: Array = None, tgt_is_causal: bool = False,
                memory_is_causal: bool = False) -> Array:
        def to_itself(x: Array) -> Array:
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def to_memory(x: Array) -> Array:
            return self.multihead_attn(x, memory, memory, memory_key_padding_mask, False, memory_mask,
                                       is_causal=memory_is_causal)[0]
        return self.added(self.added(self.added(tgt, 1, to_itself), 2, to_memory), 3, self.feed_forward)
