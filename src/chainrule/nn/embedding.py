"""An embedding is a table of learned vectors, looked up by number."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.attention import embedding
from chainrule.random import Generator, Source
from chainrule.tensor import tensor

from . import init
from .checks import at_least
from .module import Module


class Embedding(Module):
    """The rows of a table with the numbers of the input: whole numbers (...) to (..., embedding_dim).

    `weight` has shape (num_embeddings, embedding_dim), and starts normal with variance 1, as PyTorch's does. The row
    `padding_idx` starts as zeros and gets no gradient. Raises ArgumentError, DTypeError, and BoundsError for a row that is not
    there. Bengio et al., "A neural probabilistic language model", JMLR 2003.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.Embedding(10, 3, padding_idx=0)(np.array([[1, 2], [4, 0]])).shape
    (2, 2, 3)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *, dtype: Any = "float32",
                 generator: Generator | Source | None = None) -> None:
        at_least("Embedding", 1, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ArgumentError(f"Embedding: padding_idx={padding_idx} is none of the {num_embeddings} rows.")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = init.normal_(init.parameter((num_embeddings, embedding_dim), dtype, "weight"), generator=generator)
        if self.padding_idx is not None:
            table = np.array(self.weight.data)
            table[self.padding_idx] = 0
            self.weight.data = table

    @classmethod
    def from_pretrained(cls, embeddings: Array, freeze: bool = True, padding_idx: int | None = None) -> Embedding:
        """A table with given values (num_embeddings, embedding_dim), held fixed unless `freeze` is False. Raises ShapeError."""
        t = typeof(embeddings)
        if t.ndim != 2:
            raise ShapeError(f"Embedding.from_pretrained: the table is {t}, and must be (num_embeddings, embedding_dim).")
        made = cls(t.shape[0], t.shape[1], padding_idx, dtype=t.dtype)
        made.weight = tensor(embeddings, requires_grad=True, name="weight")
        return made.requires_grad_(not freeze)

    def forward(self, input: Array) -> Array:
        return embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
