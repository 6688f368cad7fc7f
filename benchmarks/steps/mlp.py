"""A multi-layer perceptron: linear layers with relu between them, and cross-entropy."""
from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from .problem import Problem, Weights, drawn, jax_cross_entropy


def in_chainrule(w: Weights, x: Any, labels: Any) -> Any:
    import chainrule as cr
    *hidden, last = range(len(w) // 2)
    for i in hidden:
        x = cr.relu(cr.linear(x, w[f"weight{i}"], w[f"bias{i}"]))
    return cr.cross_entropy(cr.linear(x, w[f"weight{last}"], w[f"bias{last}"]), labels)


def in_torch(w: Weights, x: Any, labels: Any) -> Any:
    import torch.nn.functional as F
    *hidden, last = range(len(w) // 2)
    for i in hidden:
        x = F.relu(F.linear(x, w[f"weight{i}"], w[f"bias{i}"]))
    return F.cross_entropy(F.linear(x, w[f"weight{last}"], w[f"bias{last}"]), labels)


def in_jax(w: Weights, x: Any, labels: Any) -> Any:
    import jax
    *hidden, last = range(len(w) // 2)
    for i in hidden:
        x = jax.nn.relu(x @ w[f"weight{i}"].T + w[f"bias{i}"])
    return jax_cross_entropy(x @ w[f"weight{last}"].T + w[f"bias{last}"], labels)


def mlp(sizes: tuple[int, ...], batch: int) -> Problem:
    """Layers from `sizes[0]` inputs to `sizes[-1]` classes."""
    rng = np.random.default_rng(0)
    weights = {}
    for i, (n, m) in enumerate(pairwise(sizes)):
        weights |= {f"weight{i}": drawn(rng, m, n), f"bias{i}": drawn(rng, m)}
    data = rng.normal(size=(batch, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], batch)
    products = [2 * batch * n * m for n, m in pairwise(sizes)]
    return Problem(weights, data, 3 * sum(products) - products[0], in_chainrule, in_torch, in_jax)
