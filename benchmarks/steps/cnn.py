"""A convolutional network: two convolutions of 3x3, each with relu and a pool of 2x2, then a linear layer."""
from __future__ import annotations

from typing import Any

import numpy as np

from .problem import Problem, Weights, drawn, jax_cross_entropy


def in_chainrule(w: Weights, x: Any, labels: Any) -> Any:
    import chainrule as cr
    x = cr.max_pool2d(cr.relu(cr.conv2d(x, w["filters0"], w["bias0"], padding=1)), 2)
    x = cr.max_pool2d(cr.relu(cr.conv2d(x, w["filters1"], w["bias1"], padding=1)), 2)
    return cr.cross_entropy(cr.linear(cr.flatten(x, 1), w["weight"], w["bias"]), labels)


def in_torch(w: Weights, x: Any, labels: Any) -> Any:
    import torch.nn.functional as F
    x = F.max_pool2d(F.relu(F.conv2d(x, w["filters0"], w["bias0"], padding=1)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, w["filters1"], w["bias1"], padding=1)), 2)
    return F.cross_entropy(F.linear(x.flatten(1), w["weight"], w["bias"]), labels)


def in_jax(w: Weights, x: Any, labels: Any) -> Any:
    import jax
    from jax import lax

    def layer(x: Any, filters: Any, bias: Any) -> Any:  # channels last, and this way to pool, suit XLA best on CPUs
        x = lax.conv_general_dilated(x, filters, (1, 1), "SAME", dimension_numbers=("NHWC", "OIHW", "NHWC")) + bias
        n, height, width, channels = x.shape
        return jax.nn.relu(x).reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))

    x = layer(layer(x.transpose(0, 2, 3, 1), w["filters0"], w["bias0"]), w["filters1"], w["bias1"])
    return jax_cross_entropy(x.transpose(0, 3, 1, 2).reshape(len(x), -1) @ w["weight"].T + w["bias"], labels)


def cnn(channels: tuple[int, int] = (16, 32), side: int = 28, batch: int = 64, classes: int = 10) -> Problem:
    """Grey images of side x side points."""
    rng = np.random.default_rng(0)
    a, b = channels
    features = b * (side // 4) ** 2
    weights = {"filters0": drawn(rng, a, 1, 3, 3), "bias0": drawn(rng, a), "filters1": drawn(rng, b, a, 3, 3),
               "bias1": drawn(rng, b), "weight": drawn(rng, classes, features), "bias": drawn(rng, classes)}
    data = rng.normal(size=(batch, 1, side, side)).astype(np.float32), rng.integers(0, classes, batch)
    first, second = 2 * 9 * a * side ** 2, 2 * 9 * a * b * (side // 2) ** 2
    flops = batch * (2 * first + 3 * second + 3 * 2 * features * classes)
    return Problem(weights, data, flops, in_chainrule, in_torch, in_jax)
