"""A GPT: a transformer that foretells each next symbol of a text, after Radford et al., 2019 (without dropout)."""
from __future__ import annotations

from typing import Any

import numpy as np

from .problem import Problem, Weights, drawn, jax_cross_entropy

HEADS = 4


def in_chainrule(w: Weights, tokens: Any, following: Any) -> Any:
    import chainrule as cr
    x = cr.embedding(tokens, w["symbols"]) + w["places"]
    batch, time, width = x.shape
    for i in range(len(w) // 12):
        h = cr.layer_norm(x, width, w[f"{i}.scale1"], w[f"{i}.shift1"])
        qkv = cr.reshape(cr.linear(h, w[f"{i}.qkv"], w[f"{i}.qkv_bias"]), (batch, time, 3, HEADS, -1))
        q, k, v = cr.unstack(cr.permute_dims(qkv, (2, 0, 3, 1, 4)))
        y = cr.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = cr.reshape(cr.swapaxes(y, 1, 2), (batch, time, width))
        x = x + cr.linear(y, w[f"{i}.out"], w[f"{i}.out_bias"])
        h = cr.layer_norm(x, width, w[f"{i}.scale2"], w[f"{i}.shift2"])
        h = cr.gelu(cr.linear(h, w[f"{i}.up"], w[f"{i}.up_bias"]), approximate="tanh")
        x = x + cr.linear(h, w[f"{i}.down"], w[f"{i}.down_bias"])
    logits = cr.linear(cr.layer_norm(x, width, w["scale"], w["shift"]), w["head"], None)
    return cr.cross_entropy(cr.reshape(logits, (batch * time, -1)), cr.reshape(following, (-1,)))


def in_torch(w: Weights, tokens: Any, following: Any) -> Any:
    import torch.nn.functional as F
    x = F.embedding(tokens, w["symbols"]) + w["places"]
    batch, time, width = x.shape
    for i in range(len(w) // 12):
        h = F.layer_norm(x, (width,), w[f"{i}.scale1"], w[f"{i}.shift1"])
        qkv = F.linear(h, w[f"{i}.qkv"], w[f"{i}.qkv_bias"]).view(batch, time, 3, HEADS, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind()
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = y.transpose(1, 2).reshape(batch, time, width)
        x = x + F.linear(y, w[f"{i}.out"], w[f"{i}.out_bias"])
        h = F.layer_norm(x, (width,), w[f"{i}.scale2"], w[f"{i}.shift2"])
        h = F.gelu(F.linear(h, w[f"{i}.up"], w[f"{i}.up_bias"]), approximate="tanh")
        x = x + F.linear(h, w[f"{i}.down"], w[f"{i}.down_bias"])
    logits = F.linear(F.layer_norm(x, (width,), w["scale"], w["shift"]), w["head"])
    return F.cross_entropy(logits.view(batch * time, -1), following.view(-1))


def in_jax(w: Weights, tokens: Any, following: Any) -> Any:
    import jax
    from jax import lax

    def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
        return (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * scale + shift

    x = w["symbols"][tokens] + w["places"]
    batch, time, width = x.shape
    for i in range(len(w) // 12):
        h = layer_norm(x, w[f"{i}.scale1"], w[f"{i}.shift1"])
        qkv = (h @ w[f"{i}.qkv"].T + w[f"{i}.qkv_bias"]).reshape(batch, time, 3, HEADS, -1)
        y = jax.nn.dot_product_attention(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2], is_causal=True)
        x = x + y.reshape(batch, time, width) @ w[f"{i}.out"].T + w[f"{i}.out_bias"]
        h = layer_norm(x, w[f"{i}.scale2"], w[f"{i}.shift2"])
        h = jax.nn.gelu(h @ w[f"{i}.up"].T + w[f"{i}.up_bias"], approximate=True)
        x = x + h @ w[f"{i}.down"].T + w[f"{i}.down_bias"]
    logits = layer_norm(x, w["scale"], w["shift"]) @ w["head"].T
    return jax_cross_entropy(logits.reshape(batch * time, -1), following.reshape(-1))


def gpt(layers: int = 4, width: int = 128, time: int = 64, batch: int = 16, symbols: int = 65) -> Problem:
    """Texts of `time` symbols."""
    rng = np.random.default_rng(0)
    ones = np.ones(width, np.float32)
    weights = {"symbols": drawn(rng, symbols, width), "places": drawn(rng, time, width), "scale": ones, "shift": 0 * ones,
               "head": drawn(rng, symbols, width)}
    for i in range(layers):
        weights |= {f"{i}.scale1": ones, f"{i}.shift1": 0 * ones, f"{i}.scale2": ones, f"{i}.shift2": 0 * ones}
        for name, n, m in (("qkv", 1, 3), ("out", 1, 1), ("up", 1, 4), ("down", 4, 1)):
            weights |= {f"{i}.{name}": drawn(rng, m * width, n * width), f"{i}.{name}_bias": drawn(rng, m * width)}
    text = rng.integers(0, symbols, (batch, time + 1))
    forward = 2 * batch * time * (layers * (12 * width ** 2 + 2 * time * width) + symbols * width)
    return Problem(weights, (text[:, :-1].copy(), text[:, 1:].copy()), 3 * forward, in_chainrule, in_torch, in_jax)
