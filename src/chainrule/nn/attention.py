"""Attention lets each place of a sequence gather what it needs from all places of another, by how well they answer its query."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.type import Array, Shape, Type, is_float, typeof
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.attention import shares_where
from chainrule.ops.broadcasting import astype, broadcast_to, reshape
from chainrule.ops.comparison import logical_not, logical_or
from chainrule.ops.contraction import linear
from chainrule.ops.joining import concat, split
from chainrule.ops.matmul import matmul
from chainrule.ops.movement import moveaxis, swapaxes
from chainrule.ops.rearrangement import pad
from chainrule.ops.softmax import softmax
from chainrule.ops.statistics import mean
from chainrule.random import Generator, Source, dropout

from . import init
from .checks import at_least, chance
from .linear import Linear
from .module import Module


class MultiheadAttention(Module):
    """`softmax(Q K^T / sqrt(size)) V` in `num_heads` heads side by side, each on its share of `embed_dim`.

    Called with (query, key, value): (places, batch, features), with `batch_first` (batch, places, features), or without a batch.
    The features of keys and values are `kdim` and `vdim` (embed_dim). Returns the mixed values, in the form of the query, and the
    weights (batch, queries, keys): the mean over the heads, or with `average_attn_weights=False` (batch, heads, queries, keys);
    with `need_weights=False` None.

    Masks say where NOT to look, as in PyTorch: `attn_mask` (queries, keys) or (batch * heads, queries, keys), and
    `key_padding_mask` (batch, keys), are True at what is left out, or numbers added to the scores. With `is_causal`, a query sees
    the keys up to its own place. A query that may look nowhere gets zeros, not NaN.

    Parameters are PyTorch's: `in_proj_weight` (3 * embed_dim, embed_dim), or with other `kdim` or `vdim` three of them,
    `in_proj_bias`, `out_proj.weight`, `out_proj.bias`; with `add_bias_kv` also `bias_k` and `bias_v`, one more key and value, as
    `add_zero_attn` adds zeros. `dropout` drops weights while training. Raises ArgumentError, ShapeError. Vaswani et al.,
    "Attention is all you need", NeurIPS 2017.

    >>> import chainrule as cr, numpy as np
    >>> x = np.zeros((2, 5, 8), np.float32)
    >>> y, weights = cr.nn.MultiheadAttention(8, num_heads=2, batch_first=True)(x, x, x, is_causal=True)
    >>> y.shape, weights.shape
    ((2, 5, 8), (2, 5, 5))
    """

    q_proj_weight: Any
    k_proj_weight: Any
    v_proj_weight: Any

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
                 add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False, *,
                 dtype: Any = "float32", generator: Generator | Source | None = None) -> None:
        name = type(self).__name__
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = (embed_dim if size is None else size for size in (kdim, vdim))
        self.add_zero_attn = add_zero_attn
        at_least(name, 1, embed_dim=embed_dim, num_heads=num_heads, kdim=self.kdim, vdim=self.vdim)
        chance(name, dropout=dropout)
        if embed_dim % num_heads:
            raise ArgumentError(f"{name}: embed_dim={embed_dim} must be divisible by num_heads={num_heads}.")

        def drawn(name: str, rows: int, columns: int) -> Any:
            return init.xavier_uniform_(init.parameter((rows, columns), dtype, name), generator=generator)
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = drawn("in_proj_weight", 3 * embed_dim, embed_dim)
        else:
            for part, size in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
                setattr(self, f"{part}_proj_weight", drawn(f"{part}_proj_weight", embed_dim, size))
        self.in_proj_bias = init.parameter((3 * embed_dim,), dtype, "in_proj_bias") if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype, generator=generator)
        if bias:
            init.zeros_(self.out_proj.bias)
        self.bias_k, self.bias_v = (init.xavier_normal_(init.parameter((1, 1, embed_dim), dtype, part), generator=generator)
                                    if add_bias_kv else None for part in ("bias_k", "bias_v"))

    def forward(self, query: Array, key: Array, value: Array, key_padding_mask: Array = None, need_weights: bool = True,
                attn_mask: Array = None, average_attn_weights: bool = True, is_causal: bool = False) -> tuple[Array, Array]:
        same = query is key and key is value
        types = [self.checked(which, x, size) for which, x, size in (
            ("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim))]
        alone = types[0].ndim == 2
        sides = [query] if same else [query, key, value]
        sides = [x[None] if alone else x if self.batch_first else swapaxes(x, 0, 1) for x in sides]
        self.matching(*map(typeof, sides * 3 if same else sides))
        if alone and key_padding_mask is not None:
            key_padding_mask = key_padding_mask[None]
        q, k, v = self.in_heads(*self.projected(sides))
        scores = matmul(q * (1 / math.sqrt(typeof(q).shape[-1])), k.mT)
        weights = masked_softmax(scores, *self.masks(typeof(scores), key_padding_mask, attn_mask, is_causal=is_causal))
        weights = dropout(weights, self.dropout, self.training)
        mixed = moveaxis(matmul(weights, v), 1, 2)
        y = self.out_proj(reshape(mixed, (*typeof(mixed).shape[:2], self.embed_dim)))
        y = y[0] if alone else y if self.batch_first else swapaxes(y, 0, 1)
        if not need_weights:
            return y, None
        weights = mean(weights, axis=1) if average_attn_weights else weights
        return y, weights[0] if alone else weights

    # ---------------------------------------------------------------- what is multiplied
    def checked(self, which: str, x: Array, size: int) -> Type:
        t = typeof(x)
        if t.ndim not in (2, 3) or t.shape[-1] != size:
            form = "(batch, places, features)" if self.batch_first else "(places, batch, features)"
            raise ShapeError(f"{type(self).__name__}: the {which} is {t}, and must be {form} or (places, features), with {size} "
                             "features.")
        return t

    def matching(self, q: Type, k: Type, v: Type) -> None:
        if not (q.ndim == k.ndim == v.ndim and q.shape[0] == k.shape[0] == v.shape[0] and k.shape[1] == v.shape[1]):
            raise ShapeError(f"{type(self).__name__}: query {q}, key {k} and value {v}, with the batch in front, must have the "
                             "same batch, and as many keys as values.")

    def projected(self, sides: list[Array]) -> list[Array]:
        """Queries, keys and values: one product where all come from the same input."""
        if len(sides) == 1 and self.kdim == self.vdim == self.embed_dim:
            return list(split(linear(sides[0], self.in_proj_weight, self.in_proj_bias), 3, axis=-1))
        rows = (split(self.in_proj_weight, 3) if self.kdim == self.vdim == self.embed_dim
                else (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight))
        biases = (None,) * 3 if self.in_proj_bias is None else split(self.in_proj_bias, 3)
        return [linear(x, w, b) for x, w, b in zip(sides, rows, biases)]

    def in_heads(self, q: Array, k: Array, v: Array) -> list[Array]:
        """(batch, places, embed_dim) to (batch, heads, places, size), with the additional keys and values."""
        if self.bias_k is not None:
            k, v = (concat(x, broadcast_to(extra, (typeof(x).shape[0], 1, self.embed_dim)), axis=1)
                    for x, extra in ((k, self.bias_k), (v, self.bias_v)))
        if self.add_zero_attn:
            k, v = (pad(x, ((0, 0), (0, 1), (0, 0))) for x in (k, v))
        return [moveaxis(reshape(x, (*typeof(x).shape[:2], self.num_heads, -1)), 2, 1) for x in (q, k, v)]

    # ---------------------------------------------------------------- where to look
    def masks(self, scores: Type, padding: Array, mask: Array, *, is_causal: bool) -> list[Array]:
        """Each mask in a shape that broadcasts to the scores (batch, heads, queries, keys), additional keys never left out."""
        batch, heads, queries, keys = scores.shape
        extra = (self.bias_k is not None) + self.add_zero_attn
        own = keys - extra
        found: list[Array] = []
        known: dict[str, tuple[Array, dict[Shape, Shape]]] = {
            "key_padding_mask": (padding, {(batch, own): (batch, 1, 1, own)}),
            "attn_mask": (mask, {(queries, own): (queries, own),
                                 (batch * heads, queries, own): (batch, heads, queries, own)})}
        for name, (given, forms) in known.items():
            if given is None:
                continue
            shape = typeof(given).shape
            if shape not in forms:
                raise ShapeError(f"{type(self).__name__}: {name} is {typeof(given)}, and its shape must be "
                                 f"{' or '.join(map(str, forms))}.")
            found.append(reshape(given, forms[shape]))
        if is_causal:
            found.append(np.logical_not(np.tri(queries, own, dtype=bool)))
        return [pad(m, ((0, 0),) * (typeof(m).ndim - 1) + ((0, extra),)) if extra else m for m in found]



def masked_softmax(scores: Array, *masks: Array) -> Array:
    """The shares of the scores along the last axis; masks are True at what gets none, or numbers to add."""
    out = None
    for mask in masks:
        if is_float(typeof(mask).dtype):
            scores = scores + astype(mask, typeof(scores).dtype)
        else:
            out = mask if out is None else logical_or(out, mask)
    return softmax(scores, axis=-1) if out is None else shares_where(logical_not(out), scores)
