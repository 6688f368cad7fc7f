"""A text foretold by LSTM layers whose matrices are diagonal: an objective of ADBench (Srajer, Kukelova and Fitzgibbon, 2018).

Two layers over 1,024 characters of 14 bits; `main` holds for each layer a row of four weights and a row of four biases for each
bit, `extra` what scales the input and the output. The step is the objective and its gradient in both, in float64.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from .problem import Problem, Weights


def in_chainrule(w: Weights, state: Any, text: Any) -> Any:
    import chainrule as cr

    def foretold(state: Any, x: Any) -> Any:
        new = []
        x = x * w["extra"][0]
        for i in range(0, len(state), 2):
            (h, c), weight, bias = (state[i], state[i + 1]), w["main"][i], w["main"][i + 1]
            change = cr.tanh(h * weight[3] + bias[3])
            c = c * cr.sigmoid(x * weight[0] + bias[0]) + cr.sigmoid(h * weight[1] + bias[1]) * change
            x = cr.sigmoid(x * weight[2] + bias[2]) * cr.tanh(c)
            new += [x, c]
        return tuple(new), x * w["extra"][1] + w["extra"][2]

    _, y = cr.scan(foretold, tuple(state), text[:-1])
    y = y - cr.log(cr.sum(cr.exp(y), axis=1, keepdims=True) + 2)
    return -cr.mean(text[1:] * y)


def in_torch(w: Weights, state: Any, text: Any) -> Any:
    import torch
    weights, (scale, gain, offset) = w["main"].unbind(), w["extra"].unbind()
    layers = [(*weights[i].unbind(), *weights[i + 1].unbind()) for i in range(0, len(weights), 2)]
    pairs, outputs = list(zip(state[::2], state[1::2])), []
    for x in (text[:-1] * scale).unbind():
        for i, (wf, wi, wo, wc, bf, bi, bo, bc) in enumerate(layers):
            h, c = pairs[i]
            c = c * torch.sigmoid(x * wf + bf) + torch.sigmoid(h * wi + bi) * torch.tanh(h * wc + bc)
            x = torch.sigmoid(x * wo + bo) * torch.tanh(c)
            pairs[i] = x, c
        outputs.append(x)
    y = torch.stack(outputs) * gain + offset
    y = y - (y.exp().sum(1, keepdim=True) + 2).log()
    return -(text[1:] * y).mean()


def in_jax(w: Weights, state: Any, text: Any) -> Any:
    import jax
    import jax.numpy as jnp

    def foretold(state: Any, x: Any) -> Any:
        new = []
        x = x * w["extra"][0]
        for i in range(0, len(state), 2):
            (h, c), weight, bias = (state[i], state[i + 1]), w["main"][i], w["main"][i + 1]
            change = jnp.tanh(h * weight[3] + bias[3])
            c = c * jax.nn.sigmoid(x * weight[0] + bias[0]) + jax.nn.sigmoid(h * weight[1] + bias[1]) * change
            x = jax.nn.sigmoid(x * weight[2] + bias[2]) * jnp.tanh(c)
            new += [x, c]
        return tuple(new), x * w["extra"][1] + w["extra"][2]

    _, y = jax.lax.scan(foretold, tuple(state), text[:-1], unroll=8)
    y = y - jnp.log(jnp.exp(y).sum(1, keepdims=True) + 2)
    return -(text[1:] * y).mean()


def diagonal_lstm(layers: int = 2, characters: int = 1024, bits: int = 14) -> Problem:
    """A text of random bits. There are no contractions in it: its arithmetic limit is not one of matrix products."""
    rng = np.random.default_rng(0)
    weights = {"main": rng.normal(size=(2 * layers, 4, bits)), "extra": rng.normal(size=(3, bits))}
    batch = rng.normal(size=(2 * layers, bits)), rng.integers(0, 2, (characters, bits)).astype(np.float64)
    return Problem(weights, batch, 0, in_chainrule, in_torch, in_jax, trains=False)
