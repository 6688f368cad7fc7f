"""A recurrent layer reads a sequence step by step and carries a state from each step to the next.

Weights, their names, shapes and order are PyTorch's, so that states can be exchanged. All steps' products with the input are
one matrix product before the loop; the loop itself, `cr.scan`, multiplies by the recurrent weights alone, once in each step.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.interpreter import Box
from chainrule.core.type import Array, Shape, typeof
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.broadcasting import reshape, stop_gradient
from chainrule.ops.choice import where
from chainrule.ops.joining import concat
from chainrule.ops.movement import stack, swapaxes
from chainrule.random import Generator, Source, dropout
from chainrule.scan import scan

from .checks import at_least, chance, expected
from .module import Module
from .recurrent_cell import (
    GRU_GATES,
    LSTM_GATES,
    Kind,
    State,
    Weights,
    from_input,
    kind_of,
    make_weights,
    state_or_zeros,
    weights,
)


def run(kind: Kind, x: Array, state: State, w: Weights, marks: dict[str, Array], *, reverse: bool) -> tuple[Array, State]:
    """All steps of one layer in one direction: (T, ..., input_size) to (T, ..., size), and the state after the last.

    Marks are True, for each step and example, where a sequence is "going on", and where the gradient is "cut".
    """
    def step(state: State, row: dict[str, Array]) -> tuple[State, Array]:
        begin = tuple(where(row["cut"], stop_gradient(s), s) for s in state) if "cut" in row else state
        new = kind.step(row["z"], begin, w)
        if "going on" not in row:
            return new, new[0]
        on = row["going on"]
        return tuple(where(on, after, before) for after, before in zip(new, state)), where(on, new[0], 0)
    state, y = scan(step, state, {"z": from_input(kind, x, w), **marks}, reverse=reverse)
    return y, state


def marks_of(module: Module, time: int, batch: Shape, lengths: Array, truncate: int | None, *, reverse: bool) -> dict[str, Array]:
    """What `run` has to know of the steps of each sequence, in a shape that broadcasts to its states.

    Backwards a sequence begins at its own end: until then its state stays as it was given, as it does forward after the end.
    """
    place = np.arange(time).reshape(time, *[1] * len(batch), 1)
    marks, ends = {}, time
    if lengths is not None:
        ends = reshape(checked_lengths(module, lengths, time, batch), (*batch, 1))
        marks["going on"] = place < ends
    if truncate is not None:
        at_least(type(module).__name__, 1, truncate=truncate)
        read = ends - 1 - place if reverse else place  # how many steps of its own a sequence has behind it
        marks["cut"] = (read % truncate == 0) & (read > 0)
    return marks


def checked_lengths(module: Module, lengths: Array, time: int, batch: Shape) -> Array:
    lengths = np.asarray(lengths) if isinstance(lengths, list | tuple | int) else lengths
    t, name = typeof(lengths), type(module).__name__
    if t.dtype.kind not in "iu" or t.shape != batch:
        raise ShapeError(f"{name}: lengths is {t}, and must be whole numbers, one for each sequence: shape {batch}.")
    if not isinstance(lengths, Box) and ((lengths < 0) | (lengths > time)).any():
        raise ArgumentError(f"{name}: the lengths go from {lengths.min()} to {lengths.max()}, but there are {time} steps.")
    return lengths


def set_up(module: Any, kind: Kind, input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool,
           dropout: float, bidirectional: bool, dtype: Any, generator: Generator | Source | None) -> None:
    """Put the sizes, options and weights of all layers on the module."""
    name = type(module).__name__
    at_least(name, 1, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
    chance(name, dropout=dropout)
    module.input_size, module.hidden_size, module.num_layers = input_size, hidden_size, num_layers
    module.bias, module.batch_first, module.dropout, module.bidirectional = bias, batch_first, dropout, bidirectional
    for layer in range(num_layers):
        inputs = input_size if layer == 0 else hidden_size * (1 + bidirectional)
        for suffix in suffixes(module, layer):
            make_weights(module, kind, suffix, inputs, hidden_size, bias, dtype, generator)


def suffixes(module: Any, layer: int) -> list[str]:
    """What the names of a layer's weights end in, one for each direction."""
    return [f"_l{layer}", f"_l{layer}_reverse"][:1 + module.bidirectional]


def sequence(module: Any, kind: Kind, x: Array, state: State | None, lengths: Array, truncate: int | None) -> tuple[Array, State]:
    """All layers on a sequence: what the last layer says at each step, and the states of all after their last steps."""
    expected(module, x, (2, 3), "(batch, time, features) or (time, features)" if module.batch_first
             else "(time, batch, features) or (time, features)", axis=-1, input_size=module.input_size)
    turned = module.batch_first and typeof(x).ndim == 3
    x = swapaxes(x, 0, 1) if turned else x
    time, *batch, _ = typeof(x).shape
    rows = module.num_layers * (1 + module.bidirectional)
    begin = state_or_zeros(module, state, kind, (rows, *batch, module.hidden_size), x)
    marks = [marks_of(module, time, tuple(batch), lengths, truncate, reverse=way)
             for way in (False, True)[:1 + module.bidirectional]]
    ends: list[State] = []
    for layer in range(module.num_layers):
        if layer:
            x = dropout(x, module.dropout, module.training)
        ways = []
        for suffix, known in zip(suffixes(module, layer), marks):
            y, end = run(kind, x, tuple(part[len(ends)] for part in begin), weights(module, suffix), known,
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

    `lengths`, (batch,) whole numbers, says how many steps of each sequence count; the rest is padding, whatever it holds. Beyond
    its end a sequence's state stays as it is, and its output is 0; backwards, it is read from its own end. This is what PyTorch
    does with packed sequences, in any order of lengths. With `truncate=k`, the values are the same, but no gradient flows back
    from a step to the one before at every k-th step (Williams and Peng, "An efficient gradient-based algorithm for on-line
    training of recurrent network trajectories", Neural Computation 1990); `cr.stop_gradient(state)` does so between batches.

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

    def forward(self, input: Array, hx: Array | None = None, *, lengths: Array = None,
                truncate: int | None = None) -> tuple[Array, Array]:
        y, (h,) = sequence(self, kind_of(self.nonlinearity), input, None if hx is None else (hx,), lengths, truncate)
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

    def forward(self, input: Array, hx: tuple[Array, Array] | None = None, *, lengths: Array = None,
                truncate: int | None = None) -> tuple[Array, tuple[Array, Array]]:
        y, (h, c) = sequence(self, LSTM_GATES, input, hx, lengths, truncate)
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

    def forward(self, input: Array, hx: Array | None = None, *, lengths: Array = None,
                truncate: int | None = None) -> tuple[Array, Array]:
        y, (h,) = sequence(self, GRU_GATES, input, None if hx is None else (hx,), lengths, truncate)
        return y, h

    def extra_repr(self) -> str:
        return options_shown(self)
