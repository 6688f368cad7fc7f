"""A trainer repeats four lines until the data have been seen often enough: forward, seed, sweep, update."""
from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.core.type import Array
from chainrule.data.dataset import Dataset
from chainrule.errors import DataError
from chainrule.nn.module import Module
from chainrule.optim.optimizer import Optimizer
from chainrule.random import Generator, Source, source_of
from chainrule.tensor import no_grad

Loss = Callable[[Any, Array], Any]


@dataclass(frozen=True)
class Step:
    """What listeners are told after each update; `number` and `epoch` count from 1."""

    number: int
    epoch: int
    loss: float


@dataclass(frozen=True)
class Epoch:
    """What listeners are told after each pass over the data."""

    number: int
    loss: float
    accuracy: float | None
    seconds: float


class Listener:
    """Somebody who wants to know how training goes; every method may be left out."""

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        """Training starts: `steps` updates in each of `epochs` passes."""

    def after_step(self, step: Step) -> None:
        """An update was made."""

    def after_epoch(self, epoch: Epoch) -> None:
        """All batches were seen once more."""

    def end(self) -> None:
        """Training is over, for whatever reason."""


@dataclass
class Trainer:
    """Fits a model to data with a loss and an optimizer, and tells its listeners.

    >>> import chainrule as cr
    >>> seen, held_out = cr.data.digits().split(seed=0)
    >>> model = cr.nn.Linear(64, 10)
    >>> trainer = cr.train.Trainer(model, cr.nn.CrossEntropyLoss(), cr.optim.Adam(model.parameters(), lr=0.01))
    >>> trainer.fit(seen, epochs=1)
    >>> trainer.accuracy(held_out) > 0.5
    True
    """

    model: Module
    loss: Loss
    optimizer: Optimizer
    listeners: Sequence[Listener] = ()
    stopping: bool = field(default=False, init=False)

    def fit(self, data: Dataset, *, held_out: Dataset | None = None, epochs: int = 10, batch: int = 32,
            generator: Generator | Source | None = None) -> None:
        """Train on `data`, shuffled before each pass by `generator`, or by cr.random's common one; after each pass, measure the
        accuracy on `held_out`.

        Raises DataError where there is nothing to train on, and what listeners raise.
        """
        if not len(data):
            raise DataError("there are no rows to train on.")
        order = source_of(generator)
        self.stopping = False
        self.tell("begin", self, epochs, data.steps(batch))
        try:
            number = 0
            for epoch in range(1, epochs + 1):
                self.model.train()
                began, losses = time.perf_counter(), []
                for x, y in data.batches(batch, shuffle=order):
                    loss = self.step(x, y)
                    number += 1
                    losses.append(loss)
                    self.tell("after_step", Step(number, epoch, loss))
                    if self.stopping:
                        return
                seconds = time.perf_counter() - began
                accuracy = None if held_out is None else self.accuracy(held_out)
                self.tell("after_epoch", Epoch(epoch, sum(losses) / len(losses), accuracy, seconds))
        finally:
            self.tell("end")

    def step(self, x: Array, y: Array) -> float:
        """One update on one batch; returns the loss before it."""
        loss = self.loss(self.model(x), y)   # forward
        loss.backward()                      # the seed is 1, and the sweep carries it back
        self.optimizer.step()                # update
        self.optimizer.zero_grad()
        return float(loss.value)

    def stop(self) -> None:
        """End the training after the step that is running, with the model whole."""
        self.stopping = True

    def predict(self, inputs: Array) -> np.ndarray[Any, Any]:
        """What the model says of these inputs, nothing being recorded."""
        self.model.eval()
        with no_grad():
            return np.asarray(self.model(inputs))

    def accuracy(self, data: Dataset) -> float:
        """The share of rows whose highest score is at the target."""
        return float(np.mean(self.predict(data.inputs).argmax(axis=-1) == data.targets))

    def tell(self, event: str, *what: Any) -> None:
        for listener in self.listeners:
            getattr(listener, event)(*what)
