"""A problem is one loss with its data and first weights, the loss written once for each library."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Weights = dict[str, Any]
Loss = Callable[..., Any]  # of the weights and the arrays of a batch


@dataclass(frozen=True)
class Problem:
    """What the three libraries are given; `flops` are the multiplications and additions in the contractions of one step."""

    weights: dict[str, np.ndarray[Any, Any]]
    batch: tuple[np.ndarray[Any, Any], ...]
    flops: float
    chainrule: Loss
    torch: Loss
    jax: Loss
    trains: bool = True  # a step moves the weights by Adam; else it is the loss and its full gradient

    @property
    def double(self) -> bool:
        """Whether it is in float64."""
        return next(iter(self.weights.values())).dtype == np.float64

    @property
    def images(self) -> bool:
        """Whether the data are images, whose channels may come first or last in memory."""
        return self.batch[0].ndim == 4


def drawn(rng: np.random.Generator, *shape: int) -> np.ndarray[Any, Any]:
    """A float32 weight, its size such that sums over all axes but the first keep theirs; a vector starts at 0."""
    scale = np.prod(shape[1:]) ** -0.5 if len(shape) > 1 else 0.0
    return (scale * rng.normal(size=shape)).astype(np.float32)


def jax_cross_entropy(logits: Any, labels: Any) -> Any:
    """The mean cross-entropy of rows of logits, which jax.numpy does not have."""
    import jax
    import jax.numpy as jnp
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()
