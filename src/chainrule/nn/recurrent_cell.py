"""A recurrent cell is one step of a recurrent layer: from an input and a state to a new state."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.activation import relu, sigmoid
from chainrule.ops.contraction import linear
from chainrule.ops.hyperbolic import tanh
from chainrule.ops.joining import split
from chainrule.ops.matmul import matmul
from chainrule.random import Generator, Source

from . import init
from .checks import at_least, expected
from .module import Module

State = tuple[Array, ...]


# ---------------------------------------------------------------------------------------- one step
class Weights(NamedTuple):
    """The parameters of one layer in one direction: from the input, from the state, and the biases, if any."""

    ih: Array
    hh: Array
    bias_ih: Array | None
    bias_hh: Array | None


class Kind(NamedTuple):
    """A kind of recurrence: how many gates it has, how many arrays its state has, and one step of it.

    `step(z, h, state, w)` makes the new state of `z`, the products with the input and its biases; `together` says that both
    biases may be added to `z`, because they are only ever used as their sum.
    """

    gates: int
    states: int
    step: Callable[[Array, State, Weights], State]
    together: bool = True


def simple_step(activation: Callable[[Array], Array]) -> Callable[[Array, State, Weights], State]:
    def step(z: Array, state: State, w: Weights) -> State:
        return (activation(z + matmul(state[0], w.hh.mT)),)
    return step


def lstm_step(z: Array, state: State, w: Weights) -> State:
    h, c = state
    i, f, g, o = split(z + matmul(h, w.hh.mT), 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def gru_step(z: Array, state: State, w: Weights) -> State:
    (h,) = state
    r, u, n = split(z, 3, axis=-1)
    hr, hu, hn = split(linear(h, w.hh, w.bias_hh), 3, axis=-1)
    u = sigmoid(u + hu)
    return (u * h + (1 - u) * tanh(n + sigmoid(r + hr) * hn),)


TANH = Kind(1, 1, simple_step(tanh))
RELU = Kind(1, 1, simple_step(relu))
LSTM_GATES = Kind(4, 2, lstm_step)
GRU_GATES = Kind(3, 1, gru_step, together=False)
NONLINEARITIES = {"tanh": TANH, "relu": RELU}


def from_input(kind: Kind, x: Array, w: Weights) -> Array:
    """The products of the input with its weights, for any number of steps at once: (..., input_size) to (..., gates * size)."""
    both = kind.together and w.bias_ih is not None
    return linear(x, w.ih, w.bias_ih + w.bias_hh if both else w.bias_ih)


# ---------------------------------------------------------------------------------------- what layers and cells share
def kind_of(nonlinearity: str) -> Kind:
    if nonlinearity not in NONLINEARITIES:
        raise ArgumentError(f"RNN: nonlinearity is {' or '.join(map(repr, NONLINEARITIES))}, not {nonlinearity!r}.")
    return NONLINEARITIES[nonlinearity]


def make_weights(module: Module, kind: Kind, suffix: str, inputs: int, size: int, bias: bool, dtype: Any,
                 generator: Generator | Source | None) -> None:
    """Put the weights of one layer in one direction on the module, in PyTorch's order, drawn as PyTorch draws them."""
    rows, bound = kind.gates * size, size ** -0.5
    for name, shape in {"weight_ih": (rows, inputs), "weight_hh": (rows, size), "bias_ih": (rows,), "bias_hh": (rows,)}.items():
        made = None
        if bias or name.startswith("weight"):
            made = init.uniform_(init.parameter(shape, dtype, name + suffix), -bound, bound, generator=generator)
        setattr(module, name + suffix, made)


def weights(module: Module, suffix: str = "") -> Weights:
    return Weights(*(getattr(module, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))


def state_or_zeros(module: Module, state: State | None, kind: Kind, shape: tuple[int, ...], like: Array) -> State:
    """The state to begin with, checked: zeros where none is given."""
    if state is None:
        return (np.zeros(shape, typeof(like).dtype),) * kind.states
    if len(state) != kind.states:
        raise ArgumentError(f"{type(module).__name__}: the state has {kind.states} parts, and {len(state)} were given.")
    for part in state:
        if typeof(part).shape != shape:
            raise ShapeError(f"{type(module).__name__}: a state of type {typeof(part)} was given, and its shape must be {shape}.")
    return state


# ---------------------------------------------------------------------------------------- cells
def set_up(module: Any, kind: Kind, input_size: int, hidden_size: int, bias: bool, dtype: Any,
           generator: Generator | Source | None) -> None:
    at_least(type(module).__name__, 1, input_size=input_size, hidden_size=hidden_size)
    module.input_size, module.hidden_size, module.bias = input_size, hidden_size, bias
    make_weights(module, kind, "", input_size, hidden_size, bias, dtype, generator)


def one_step(module: Any, kind: Kind, x: Array, state: State | None) -> State:
    expected(module, x, (1, 2), "(batch, features) or (features,)", axis=-1, input_size=module.input_size)
    w = weights(module)
    begin = state_or_zeros(module, state, kind, (*typeof(x).shape[:-1], module.hidden_size), x)
    return kind.step(from_input(kind, x, w), begin, w)


def sizes_shown(module: Any) -> str:
    nonlinearity = getattr(module, "nonlinearity", "tanh")
    return ", ".join([f"{module.input_size}, {module.hidden_size}", *(["bias=False"] if not module.bias else []),
                      *([f"nonlinearity={nonlinearity!r}"] if nonlinearity != "tanh" else [])])


class RNNCell(Module):
    """One step of `RNN`: (batch, input_size) and the state (batch, hidden_size) to the new state; the batch may be missing.

    Parameters: `weight_ih` (hidden_size, input_size), `weight_hh`, `bias_ih`, `bias_hh`. Raises ArgumentError, ShapeError.
    Elman, "Finding structure in time", Cognitive Science 1990.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.RNNCell(3, 5)(np.zeros((4, 3), np.float32)).shape
    (4, 5)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *,
                 dtype: Any = "float32", generator: Generator | Source | None = None) -> None:
        self.nonlinearity = nonlinearity
        set_up(self, kind_of(nonlinearity), input_size, hidden_size, bias, dtype, generator)

    def forward(self, input: Array, hx: Array | None = None) -> Array:
        return one_step(self, kind_of(self.nonlinearity), input, None if hx is None else (hx,))[0]

    def extra_repr(self) -> str:
        return sizes_shown(self)


class LSTMCell(Module):
    """One step of `LSTM`: (batch, input_size) and the state `(h, c)`, each (batch, hidden_size), to the new state.

    Parameters as in `RNNCell`, with four times as many rows. Raises ArgumentError, ShapeError. Hochreiter and Schmidhuber, "Long
    short-term memory", Neural Computation 1997.

    >>> import chainrule as cr, numpy as np
    >>> h, c = cr.nn.LSTMCell(3, 5)(np.zeros((4, 3), np.float32))
    >>> h.shape, c.shape
    ((4, 5), (4, 5))
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = "float32",
                 generator: Generator | Source | None = None) -> None:
        set_up(self, LSTM_GATES, input_size, hidden_size, bias, dtype, generator)

    def forward(self, input: Array, hx: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
        h, c = one_step(self, LSTM_GATES, input, hx)
        return h, c

    def extra_repr(self) -> str:
        return sizes_shown(self)


class GRUCell(Module):
    """One step of `GRU`: (batch, input_size) and the state (batch, hidden_size) to the new state.

    Parameters as in `RNNCell`, with three times as many rows. Raises ArgumentError, ShapeError. Cho et al., "Learning phrase
    representations using RNN encoder-decoder for statistical machine translation", EMNLP 2014.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.GRUCell(3, 5)(np.zeros(3, np.float32)).shape
    (5,)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = "float32",
                 generator: Generator | Source | None = None) -> None:
        set_up(self, GRU_GATES, input_size, hidden_size, bias, dtype, generator)

    def forward(self, input: Array, hx: Array | None = None) -> Array:
        return one_step(self, GRU_GATES, input, None if hx is None else (hx,))[0]

    def extra_repr(self) -> str:
        return sizes_shown(self)
