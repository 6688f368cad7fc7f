"""A recurrent network of LSTM cells that foretells each next symbol of a text, after Hochreiter and Schmidhuber, 1997."""
from __future__ import annotations

from typing import Any

import numpy as np

from .problem import Problem, Weights, drawn, jax_cross_entropy


def in_chainrule(w: Weights, tokens: Any, following: Any) -> Any:
    import chainrule as cr

    def cell(carry: Any, x: Any) -> Any:
        h, c = carry
        i, f, g, o = cr.split(x + cr.linear(h, w["weight_hh"], w["bias_hh"]), 4, axis=1)
        c = cr.sigmoid(f) * c + cr.sigmoid(i) * cr.tanh(g)
        h = cr.sigmoid(o) * cr.tanh(c)
        return (h, c), h

    inputs = cr.linear(cr.embedding(tokens, w["symbols"]), w["weight_ih"], w["bias_ih"])
    start = np.zeros((tokens.shape[1], w["weight_hh"].shape[1]), np.float32)
    _, outputs = cr.scan(cell, (start, start), inputs)
    logits = cr.linear(outputs, w["head"], w["head_bias"])
    return cr.cross_entropy(cr.reshape(logits, (tokens.size, -1)), cr.reshape(following, (-1,)))


def in_torch(w: Weights, tokens: Any, following: Any) -> Any:
    import torch
    import torch.nn.functional as F
    x = F.embedding(tokens, w["symbols"])
    h = c = x.new_zeros(1, tokens.shape[1], w["weight_hh"].shape[1])
    cell = [w["weight_ih"], w["weight_hh"], w["bias_ih"], w["bias_hh"]]
    outputs, _, _ = torch.lstm(x, (h, c), cell, True, 1, 0.0, True, False, False)  # the call that nn.LSTM makes
    logits = F.linear(outputs, w["head"], w["head_bias"])
    return F.cross_entropy(logits.view(tokens.numel(), -1), following.view(-1))


def in_jax(w: Weights, tokens: Any, following: Any) -> Any:
    import jax
    import jax.numpy as jnp

    def cell(carry: Any, x: Any) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(x + h @ w["weight_hh"].T + w["bias_hh"], 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    inputs = w["symbols"][tokens] @ w["weight_ih"].T + w["bias_ih"]
    start = jnp.zeros((tokens.shape[1], w["weight_hh"].shape[1]), jnp.float32)
    _, outputs = jax.lax.scan(cell, (start, start), inputs)
    logits = outputs @ w["head"].T + w["head_bias"]
    return jax_cross_entropy(logits.reshape(tokens.size, -1), following.reshape(-1))


def lstm(width: int = 128, time: int = 64, batch: int = 32, symbols: int = 65, embedded: int = 64) -> Problem:
    """Texts of `time` symbols, along the first axis; each symbol is embedded in `embedded` numbers."""
    rng = np.random.default_rng(0)
    weights = {"symbols": drawn(rng, symbols, embedded), "weight_ih": drawn(rng, 4 * width, embedded),
               "weight_hh": drawn(rng, 4 * width, width), "bias_ih": drawn(rng, 4 * width), "bias_hh": drawn(rng, 4 * width),
               "head": drawn(rng, symbols, width), "head_bias": drawn(rng, symbols)}
    text = rng.integers(0, symbols, (time + 1, batch))
    forward = 2 * time * batch * (4 * width * (embedded + width) + width * symbols)
    return Problem(weights, (text[:-1].copy(), text[1:].copy()), 3 * forward, in_chainrule, in_torch, in_jax)
