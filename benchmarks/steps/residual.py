"""A residual network: blocks of two convolutions with batch norm around which the signal is passed, after He et al., 2016.

Batch norm uses the statistics of the batch; running averages, which training does not need, are left out in all three.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from .problem import Problem, Weights, drawn, jax_cross_entropy


def in_chainrule(w: Weights, x: Any, labels: Any) -> Any:
    import chainrule as cr

    def convolved(x: Any, name: str) -> Any:
        x = cr.conv2d(x, w[f"{name}.filters"], padding=1)
        return cr.batch_norm(x, weight=w[f"{name}.scale"], bias=w[f"{name}.shift"], training=True)

    x = cr.relu(convolved(x, "stem"))
    for i in range(len(w) // 6):
        x = cr.relu(x + convolved(cr.relu(convolved(x, f"{i}.first")), f"{i}.second"))
    return cr.cross_entropy(cr.linear(cr.mean(x, axis=(2, 3)), w["weight"], w["bias"]), labels)


def in_torch(w: Weights, x: Any, labels: Any) -> Any:
    import torch.nn.functional as F

    def convolved(x: Any, name: str) -> Any:
        x = F.conv2d(x, w[f"{name}.filters"], padding=1)
        return F.batch_norm(x, None, None, w[f"{name}.scale"], w[f"{name}.shift"], training=True)

    x = F.relu(convolved(x, "stem"))
    for i in range(len(w) // 6):
        x = F.relu(x + convolved(F.relu(convolved(x, f"{i}.first")), f"{i}.second"))
    return F.cross_entropy(F.linear(x.mean((2, 3)), w["weight"], w["bias"]), labels)


def in_jax(w: Weights, x: Any, labels: Any) -> Any:
    import jax
    from jax import lax

    def convolved(x: Any, name: str) -> Any:
        x = lax.conv_general_dilated(x, w[f"{name}.filters"], (1, 1), "SAME", dimension_numbers=("NHWC", "OIHW", "NHWC"))
        center, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return (x - center) * lax.rsqrt(variance + 1e-5) * w[f"{name}.scale"] + w[f"{name}.shift"]

    x = jax.nn.relu(convolved(x.transpose(0, 2, 3, 1), "stem"))
    for i in range(len(w) // 6):
        x = jax.nn.relu(x + convolved(jax.nn.relu(convolved(x, f"{i}.first")), f"{i}.second"))
    return jax_cross_entropy(x.mean((1, 2)) @ w["weight"].T + w["bias"], labels)


def residual(blocks: int = 3, channels: int = 32, side: int = 32, batch: int = 32, classes: int = 10) -> Problem:
    """Coloured images of side x side points."""
    rng = np.random.default_rng(0)
    inputs = {"stem": 3} | {f"{i}.{place}": channels for i in range(blocks) for place in ("first", "second")}
    weights = {}
    for name, n in inputs.items():
        weights |= {f"{name}.filters": drawn(rng, channels, n, 3, 3), f"{name}.scale": np.ones(channels, np.float32),
                    f"{name}.shift": drawn(rng, channels)}
    weights |= {"weight": drawn(rng, classes, channels), "bias": drawn(rng, classes)}
    data = rng.normal(size=(batch, 3, side, side)).astype(np.float32), rng.integers(0, classes, batch)
    one = 2 * 9 * channels * side ** 2  # one convolution of one image, for each input channel
    flops = batch * (2 * one * 3 + 3 * 2 * blocks * one * channels + 3 * 2 * channels * classes)
    return Problem(weights, data, flops, in_chainrule, in_torch, in_jax)
