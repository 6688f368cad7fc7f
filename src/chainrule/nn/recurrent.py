"""A recurrent layer reads a sequence step by step and carries a state from each step to the next.

Weights, their names, shapes and order are PyTorch's, so that states can be exchanged. All steps' products with the input are
one matrix product before the loop; the loop itself, `cr.scan`, multiplies by the recurrent weights alone, once in each step.
"""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError
from chainrule.ops.joining import concat
from chainrule.ops.movement import stack, swapaxes
from chainrule.random import Generator, Source, dropout
from chainrule.scan import scan

from .module import Module
from .recurrent_cell import (
    GRU_GATES,
    LSTM_GATES,
    Kind,
    State,
    Weights,
    at_least_one,
    checked_input,
    from_input,
    kind_of,
    make_weights,
    state_or_zeros,
    weights,
)


def run(kind: Kind, x: Array, state: State, w: Weights, *, reverse: bool) -> tuple[Array, State]:
    """All steps of one layer in one direction: (T, ..., input_size) to (T, ..., size), and the state after the last."""
    def step(state: State, z: Array) -> tuple[State, Array]:
        state = kind.step(z, state, w)
        return state, state[0]
    state, y = scan(step, state, from_input(kind, x, w), reverse=reverse)
    return y, state


def set_up(module: Any, kind: Kind, input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool,
           dropout: float, bidirectional: bool, dtype: Any, generator: Generator | Source | None) -> None:
    """Put the sizes, options and weights of all layers on the module."""
    name = type(module).__name__
    at_least_one(name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
    if not 0 <= dropout <= 1:
        raise ArgumentError(f"{name}: dropout is the chance to be dropped, from 0 to 1, not {dropout}.")
    module.input_size, module.hidden_size, module.num_layers = input_size, hidden_size, num_layers
    module.bias, module.batch_first, module.dropout, module.bidirectional = bias, batch_first, dropout, bidirectional
    for layer in range(num_layers):
        inputs = input_size if layer == 0 else hidden_size * (1 + bidirectional)
        for suffix in suffixes(module, layer):
            make_weights(module, kind, suffix, inputs, hidden_size, bias, dtype, generator)


def suffixes(module: Any, layer: int) -> list[str]:
    """What the names of a layer's weights end in, one for each direction."""
    return [f"_l{layer}", f"_l{layer}_reverse"][:1 + module.bidirectional]


def sequence(module: Any, kind: Kind, x: Array, state: State | None) -> tuple[Array, State]:
    """All layers on a sequence: what the last layer says at each step, and the states of all after their last steps."""
    checked_input(module, x, (2, 3), "(batch, time, features) or (time, features)" if module.batch_first
                  else "(time, batch, features) or (time, features)")
    turned = module.batch_first and typeof(x).ndim == 3
    x = swapaxes(x, 0, 1) if turned else x
    rows = module.num_layers * (1 + module.bidirectional)
    begin = state_or_zeros(module, state, kind, (rows, *typeof(x).shape[1:-1], module.hidden_size), x)
    ends: list[State] = []
    for layer in range(module.num_layers):
        if layer:
            x = dropout(x, module.dropout, module.training)
        ways = []
        for suffix in suffixes(module, layer):
            y, end = run(kind, x, tuple(part[len(ends)] for part in begin), weights(module, suffix),
                         reverse=suffix.endswith("reverse"))
            ways.append(y)
            ends.append(end)
        x = concat(*ways, axis=-1) if len(ways) > 1 else ways[0]
    return swapaxes(x, 0, 1) if turned else x, tuple(stack(*parts, axis=0) for parts in zip(*ends))


def options_shown(module: Any) -> str:
    """The sizes, and what differs from the defaults."""
    defaults = {"num_layers": 1, "nonlinearity": "tanh", "bias": True, "batch_first": False, "dropout": 0.0,
                "bidirectional": False}
    changed = [f"{k}={v!r}" for k, d in defaults.items() if (v := getattr(module, k, d)) != d]
    return ", ".join([str(module.input_size), str(module.hidden_size), *changed])


class RNN(Module):
    """A simple recurrent network, `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or relu in place of tanh.

    The input is (time, batch, features), with `batch_first` (batch, time, features), or (time, features). Returns the states of
    the last layer at all steps, of the same form with `hidden_size` (twice that if `bidirectional`) at the end, and the last
    states of all layers and directions, (layers * directions, batch, hidden_size), which is also the form of `hx`, the states
    to begin with (zeros). `dropout` drops values between layers while training. Parameters are named, shaped and drawn as in
    PyTorch: `weight_ih_l0` (hidden_size, features), `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `..._l0_reverse`, `..._l1`.

    Raises ArgumentError, ShapeError. Elman, "Finding structure in time", Cognitive Science 1990.

    >>> import chainrule as cr, numpy as np
    >>> y, h = cr.nn.RNN(3, 5, num_layers=2)(np.zeros((7, 4, 3), np.float32))
    >>> y.shape, h.shape
    ((7, 4, 5), (2, 4, 5))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, *, dtype: Any = "float32",
                 generator: Generator | Source | None = None) -> None:
        self.nonlinearity = nonlinearity
        set_up(self, kind_of(nonlinearity), input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype,
               generator)

    def forward(self, input: Array, hx: Array | None = None) -> tuple[Array, Array]:
        y, (h,) = sequence(self, kind_of(self.nonlinearity), input, None if hx is None else (hx,))
        return y, h

    def extra_repr(self) -> str:
        return options_shown(self)


class LSTM(Module):
    """Long short-term memory: a cell `c` that gates open to what comes in, keep, and let out.

    With `i, f, g, o` the four parts of `W_ih x + b_ih + W_hh h + b_hh`, a step is `c' = sigmoid(f) c + sigmoid(i) tanh(g)` and
    `h' = sigmoid(o) tanh(c')`. Inputs, results and parameters are those of `RNN`, with four times as many rows in the weights;
    the states are pairs `(h, c)`.

    Raises ArgumentError, ShapeError. Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 1997; with the gate
    that forgets of Gers, Schmidhuber and Cummins, "Learning to forget", Neural Computation 2000.

    >>> import chainrule as cr, numpy as np
    >>> y, (h, c) = cr.nn.LSTM(3, 5, batch_first=True, bidirectional=True)(np.zeros((4, 7, 3), np.float32))
    >>> y.shape, h.shape, c.shape
    ((4, 7, 10), (2, 4, 5), (2, 4, 5))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, *, dtype: Any = "float32",
                 generator: Generator | Source | None = None) -> None:
        set_up(self, LSTM_GATES, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, generator)

    def forward(self, input: Array, hx: tuple[Array, Array] | None = None) -> tuple[Array, tuple[Array, Array]]:
        y, (h, c) = sequence(self, LSTM_GATES, input, hx)
        return y, (h, c)

    def extra_repr(self) -> str:
        return options_shown(self)


class GRU(Module):
    """Gated recurrent units: the new state is a mixture of the old one and of a proposal, as a gate decides.

    With `r, u, n` the parts of `W_ih x + b_ih`, and `r', u', n'` those of `W_hh h + b_hh`, a step is `z = sigmoid(u + u')` and
    `h' = z h + (1 - z) tanh(n + sigmoid(r + r') n')`. Inputs, results and parameters are those of `RNN`, with three times as many
    rows in the weights.

    Raises ArgumentError, ShapeError. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation", EMNLP 2014, in PyTorch's form, where `r` gates after the product.

    >>> import chainrule as cr, numpy as np
    >>> y, h = cr.nn.GRU(3, 5)(np.zeros((7, 3), np.float32))
    >>> y.shape, h.shape
    ((7, 5), (1, 5))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, *, dtype: Any = "float32",
                 generator: Generator | Source | None = None) -> None:
        set_up(self, GRU_GATES, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, generator)

    def forward(self, input: Array, hx: Array | None = None) -> tuple[Array, Array]:
        y, (h,) = sequence(self, GRU_GATES, input, None if hx is None else (hx,))
        return y, h

    def extra_repr(self) -> str:
        return options_shown(self)
