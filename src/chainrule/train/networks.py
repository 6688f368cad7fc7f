"""Networks that the command line trains by name: for images, and for characters, which also write text."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.compiler.entry import compile
from chainrule.core.type import Array, typeof
from chainrule.creation import arange
from chainrule.errors import ArgumentError
from chainrule.nn.activation import ReLU
from chainrule.nn.container import Sequential
from chainrule.nn.convolution import Conv2d
from chainrule.nn.dropout import Dropout
from chainrule.nn.embedding import Embedding
from chainrule.nn.linear import Linear
from chainrule.nn.module import Module
from chainrule.nn.normalization import LayerNorm
from chainrule.nn.pooling import MaxPool2d
from chainrule.nn.recurrent import GRU, LSTM, RNN
from chainrule.nn.shaping import Flatten, Unflatten
from chainrule.nn.transformer import TransformerEncoderLayer
from chainrule.nn.transformer_stack import TransformerEncoder
from chainrule.ops.broadcasting import reshape
from chainrule.ops.cross_entropy import cross_entropy
from chainrule.ops.movement import swapaxes
from chainrule.ops.softmax import softmax
from chainrule.random import Generator
from chainrule.tensor import no_grad

CELLS: dict[str, Callable[..., Module]] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}


def convolutional(channels: int, height: int, width: int, classes: int, *, flat: bool = False,
                  dropout: float = 0.0) -> Sequential:
    """Two convolutions of 3 x 3 with 16 and 32 channels, each followed by ReLU and a maximum over 2 x 2, then two linear layers.

    For images (n, channels, height, width); `flat` takes them as rows of numbers (n, channels * height * width). `dropout` comes
    before each linear layer. Raises ArgumentError for images of less than 4 x 4.
    """
    if min(height, width) < 4:
        raise ArgumentError(f"a convolutional network needs images of at least 4 x 4; these are {height} x {width}.")
    layers: dict[str, Module] = {"image": Unflatten(1, (channels, height, width))} if flat else {}
    drop: tuple[dict[str, Module], ...] = ({"drop1": Dropout(dropout)}, {"drop2": Dropout(dropout)}) if dropout else ({}, {})
    layers |= {
        "conv1": Conv2d(channels, 16, 3, padding=1), "act1": ReLU(), "pool1": MaxPool2d(2),
        "conv2": Conv2d(16, 32, 3, padding=1), "act2": ReLU(), "pool2": MaxPool2d(2), "flat": Flatten(), **drop[0],
        "fc1": Linear(32 * (height // 4) * (width // 4), 128), "act3": ReLU(), **drop[1], "fc2": Linear(128, classes)}
    return Sequential(layers).name_parameters()


class NextCharacter(Module):
    """Cross-entropy of scores (batch, time, symbols) and the characters that come next (batch, time), on average."""

    def forward(self, input: Array, target: Array) -> Array:
        return cross_entropy(reshape(input, (-1, typeof(input).shape[-1])), reshape(target, (-1,)))


class Recurrent(Module):
    """Reads characters one after another, and keeps what it makes of them in a state: RNN, GRU or LSTM.

    Characters (batch, time) and a state, or None, to scores (batch, time, symbols) of the next ones, and the state then.
    """

    def __init__(self, symbols: int, kind: str = "lstm", *, width: int = 128, layers: int = 1, dropout: float = 0.0) -> None:
        self.embedding = Embedding(symbols, width)
        self.cell = CELLS[kind](width, width, layers, dropout=dropout)
        self.head = Linear(width, symbols)

    def forward(self, x: Array, state: Any = None) -> tuple[Array, Any]:
        y, state = self.cell(self.embedding(swapaxes(x, 0, 1)), state)  # time first: as the loop over it reads
        return swapaxes(self.head(y), 0, 1), state


class GPT(Module):
    """Looks at the characters before each place, as far as `context` reaches, by causal attention.

    Characters (batch, time) to scores (batch, time, symbols) of the next ones. Radford et al., "Language models are unsupervised
    multitask learners", 2019: layers normalized first, gelu, places learned.
    """

    def __init__(self, symbols: int, *, width: int = 128, layers: int = 4, heads: int = 4, context: int = 64,
                 dropout: float = 0.0) -> None:
        self.context = context
        self.embedding, self.places = Embedding(symbols, width), Embedding(context, width)
        layer = TransformerEncoderLayer(width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True)
        self.blocks = TransformerEncoder(layer, layers, LayerNorm(width))
        self.head = Linear(width, symbols, bias=False)
        for table in (self.embedding, self.places):
            table.weight.data = 0.02 * table.weight.data

    def forward(self, x: Array) -> Array:
        time = typeof(x).shape[1]
        return self.head(self.blocks(self.embedding(x) + self.places(arange(time)), is_causal=True))


class Writer:
    """Lets a network write: character by character, each drawn by the chances the network gives it after those before.

    `compiled` makes one native function of the network first. Call it with codes to begin with (n,), at least one, and how many
    to write; at a low temperature likely characters come more often than the network says, at 1 as often.
    """

    def __init__(self, model: Any, *, compiled: bool = True) -> None:
        self.model = model
        self.run = compile(self.scores) if compiled else self.scores

    def scores(self, x: Array, state: Any) -> tuple[Array, Any]:
        with no_grad():
            return (self.model(x), None) if isinstance(self.model, GPT) else self.model(x, state)

    def __call__(self, begin: np.ndarray[Any, Any], length: int, generator: Generator, *,
                 temperature: float = 0.8) -> np.ndarray[Any, Any]:
        codes, mode = [int(code) for code in begin], self.model.training
        self.model.eval()
        next_scores = self.of_windows(codes) if isinstance(self.model, GPT) else self.with_a_state(codes)
        while len(codes) < len(begin) + length:
            chances = softmax(np.asarray(next(next_scores), np.float64) / temperature)
            codes.append(int(generator.source.choice(len(chances), p=chances)))
        self.model.train(mode)
        return np.array(codes[len(begin):])

    def of_windows(self, codes: list[int]) -> Iterator[Array]:
        """Scores after the last characters, as many as the network looks at; behind them stand others that it cannot see."""
        while True:
            window = codes[-self.model.context:]
            x = np.zeros((1, self.model.context), np.int64)
            x[0, :len(window)] = window
            yield np.asarray(self.run(x, None)[0])[0, len(window) - 1]

    def with_a_state(self, codes: list[int]) -> Iterator[Array]:
        """Scores after the last character, and what the network remembers of those before."""
        state, read = None, 0
        while True:
            while read < len(codes):
                scores, state = self.run(np.array([codes[read:read + 1]]), state)
                read += 1
            yield np.asarray(scores)[0, -1]
