"""The likelihood of a Gaussian mixture with a Wishart prior: the first objective of ADBench (Srajer, Kukelova and Fitzgibbon,
"A benchmark of selected algorithmic differentiation tools on some problems in computer vision and machine learning", 2018).

K components in d dimensions have weights `alphas`, centers `means`, and inverse square roots of covariances `icf`: the logarithms
of d diagonal elements, then the columns of the lower triangle. The step is the objective and its gradient in all three.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from .problem import Problem, Weights

GAMMA, EXTRA = 1.0, 0  # of the Wishart prior


def places(d: int) -> tuple[Any, Any]:
    """Rows and columns of what `icf` holds: the diagonal, then the columns below it."""
    columns, rows = np.triu_indices(d, 1)
    return np.concatenate([np.arange(d), rows]), np.concatenate([np.arange(d), columns])


def constant(n: int, d: int, k: int) -> float:
    """The part of the objective that depends on sizes alone."""
    freedom = d + EXTRA + 1
    log_gamma = 0.25 * d * (d - 1) * math.log(math.pi) + sum(math.lgamma(0.5 * (freedom - j)) for j in range(d))
    return -0.5 * n * d * math.log(2 * math.pi) - k * (freedom * d * math.log(GAMMA / math.sqrt(2)) - log_gamma)


def in_chainrule(w: Weights, x: Any) -> Any:
    import chainrule as cr
    (n, d), k = x.shape, len(w["alphas"])
    logs, below = w["icf"][:, :d], w["icf"][:, d:]
    rows, columns = places(d)
    root = cr.concat([cr.exp(logs), below], axis=1)
    lower = cr.at(np.zeros((k, d, d)))[:, rows, columns].set(root)
    transformed = (x - w["means"][:, None]) @ lower.mT
    inner = cr.expand_dims(w["alphas"] + cr.sum(logs, axis=1), 1) - 0.5 * cr.sum(transformed ** 2, axis=2)
    prior = 0.5 * GAMMA ** 2 * cr.sum(root ** 2) - EXTRA * cr.sum(logs)
    return constant(n, d, k) + cr.sum(cr.logsumexp(inner, axis=0)) - n * cr.logsumexp(w["alphas"]) + prior


def in_torch(w: Weights, x: Any) -> Any:
    import torch
    (n, d), k = x.shape, len(w["alphas"])
    logs, below = w["icf"][:, :d], w["icf"][:, d:]
    rows, columns = places(d)
    root = torch.cat([logs.exp(), below], 1)
    lower = x.new_zeros(k, d, d)
    lower[:, rows, columns] = root
    transformed = (x - w["means"][:, None]) @ lower.mT
    inner = (w["alphas"] + logs.sum(1))[:, None] - 0.5 * (transformed ** 2).sum(2)
    prior = 0.5 * GAMMA ** 2 * (root ** 2).sum() - EXTRA * logs.sum()
    return constant(n, d, k) + inner.logsumexp(0).sum() - n * w["alphas"].logsumexp(0) + prior


def in_jax(w: Weights, x: Any) -> Any:
    import jax.numpy as jnp
    from jax.scipy.special import logsumexp
    (n, d), k = x.shape, len(w["alphas"])
    logs, below = w["icf"][:, :d], w["icf"][:, d:]
    rows, columns = places(d)
    root = jnp.concatenate([jnp.exp(logs), below], axis=1)
    lower = jnp.zeros((k, d, d)).at[:, rows, columns].set(root)
    transformed = (x - w["means"][:, None]) @ lower.mT
    inner = (w["alphas"] + logs.sum(1))[:, None] - 0.5 * (transformed ** 2).sum(2)
    prior = 0.5 * GAMMA ** 2 * (root ** 2).sum() - EXTRA * logs.sum()
    return constant(n, d, k) + logsumexp(inner, axis=0).sum() - n * logsumexp(w["alphas"]) + prior


def gmm(d: int, components: int = 25, points: int = 1000) -> Problem:
    """`points` points in `d` dimensions, in float64. The triangle is counted as the full matrix that all three multiply by."""
    rng = np.random.default_rng(0)
    weights = {"alphas": rng.normal(size=components), "means": rng.uniform(size=(components, d)),
               "icf": rng.normal(size=(components, d * (d + 1) // 2)) / d}
    flops = 3 * 2 * points * components * d * d
    return Problem(weights, (rng.normal(size=(points, d)),), flops, in_chainrule, in_torch, in_jax, trains=False)
