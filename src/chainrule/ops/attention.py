"""Attention mixes values by how well their keys answer a query; an embedding looks its rows up by number."""
from __future__ import annotations

import math

import numpy as np

from chainrule.core.type import Array, is_float, typeof
from chainrule.errors import ArgumentError, DTypeError, ShapeError

from .broadcasting import reshape, stop_gradient
from .choice import where
from .comparison import equal
from .gathering import take
from .matmul import matmul
from .movement import matrix_transpose
from .softmax import softmax


def embedding(input: Array, weight: Array, padding_idx: int | None = None) -> Array:
    """The rows of `weight` with the numbers `input`: the result has the shape of `input` and one axis more.

    Negative numbers count from the last row. The row `padding_idx` gets no gradient. Raises DTypeError, ShapeError, and
    BoundsError for a row that is not there.

    >>> import chainrule as cr, numpy as np
    >>> cr.embedding(np.array([2, 0]), np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    array([[4., 5.],
           [0., 1.]])
    """
    if typeof(input).dtype.kind not in "iu":
        raise DTypeError(f"embedding: rows are looked up by whole numbers, not by {typeof(input)}. The indices come first, the "
                         "weight second.")
    if typeof(weight).ndim != 2:
        raise ShapeError(f"embedding: the weight has one row for each number, so two axes; this is {typeof(weight)}.")
    rows = take(weight, input, axis=0)
    if padding_idx is None:
        return rows
    padding = equal(input, padding_idx % typeof(weight).shape[0])
    return where(reshape(padding, shape=(*typeof(input).shape, 1)), stop_gradient(rows), rows)


def shares_where(seen: Array, scores: Array) -> Array:
    """The softmax along the last axis of the scores that are seen; the others get 0.

    What is not seen has the least number there is, not minus infinity: a row of which nothing is seen gets zeros, not NaN.
    """
    least = float(np.finfo(typeof(scores).dtype).min)
    return where(seen, softmax(where(seen, scores, least), axis=-1), 0.0)


def scaled_dot_product_attention(query: Array, key: Array, value: Array, attn_mask: Array = None, *, is_causal: bool = False,
                                 scale: float | None = None) -> Array:
    """`softmax(query key^T / sqrt(size)) value`, over the last two axes.

    Shapes are (..., queries, size), (..., keys, size), (..., keys, width), and (..., queries, width) of the result.
    `attn_mask` broadcasts to (..., queries, keys): True where a query may look, or numbers to be added to the scores. A query
    that may look nowhere gets zeros, and gives no gradient. With `is_causal`, a query sees the keys up to its own place. `scale`
    replaces `1 / sqrt(size)`.

    Source: Vaswani et al., Attention is all you need, 2017. Raises ShapeError, ArgumentError.
    """
    if is_causal and attn_mask is not None:
        raise ArgumentError("scaled_dot_product_attention: give attn_mask or is_causal, not both.")
    q, k = typeof(query), typeof(key)
    scores = matmul(query * (1 / math.sqrt(q.shape[-1]) if scale is None else scale), matrix_transpose(key))
    if is_causal:  # each query sees one key at least
        scores = where(np.tri(q.shape[-2], k.shape[-2], dtype=bool), scores, -math.inf)
    elif attn_mask is not None and is_float(typeof(attn_mask).dtype):
        scores = scores + attn_mask
    elif attn_mask is not None:
        return matmul(shares_where(attn_mask, scores), value)
    return matmul(softmax(scores, axis=-1), value)
