"""A trainer repeats four lines until the data have been seen often enough: forward, seed, sweep, update."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError
from chainrule.nn.module import Module
from chainrule.optim.optimizer import Optimizer
from chainrule.random import Generator, Source
from chainrule.tensor import no_grad

from . import resuming
from .events import Epoch, Listener, Place, Step
from .feeding import Inspection, batches_of, length_of
from .metrics import METRICS, OF_THE_LOSS, class_axis
from .update import Gradients, Launched, Loss, Told, arrays, checked_options, evaluation, part, rows_of, said, update_of

LARGE = 1024  # rows that are evaluated at a time, where nobody says otherwise


@dataclass
class Trainer:
    """Fits a model to data with a loss and an optimizer, and tells its listeners.

    `metrics` are names in `cr.train.METRICS`, "loss" and "perplexity", or functions of predictions and targets by name; by
    default, the loss, and the accuracy where targets are classes. `max_norm` bounds the norm of all gradients together.
    `accumulate` cuts each batch into so many pieces, whose gradients are added up: for losses that are means over rows, and
    batches too large for memory. With `carry` the model is called as `model(x, state)` and returns its output and a state, which
    the next batch begins with (None at the beginning of a pass): truncated backpropagation through time. `compile` makes one
    native function of a step; what cannot be compiled runs eagerly, after one notice. `check_data` looks for NaN, infinity and
    labels that are no class.

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
    metrics: Iterable[str] | Mapping[str, Callable[[Any, Any], float]] | None = None
    max_norm: float | None = None
    accumulate: int = 1
    carry: bool = False
    compile: bool = True
    check_data: bool = True
    stopping: bool = field(default=False, init=False)
    place: Place = field(default_factory=Place, init=False)
    carried: Any = field(default=None, init=False)
    batches: Any = field(default=None, init=False)
    epochs: int = field(default=0, init=False)
    resumed: bool = field(default=False, init=False)
    pending: dict[str, Any] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        checked_options(self.accumulate, self.max_norm, self.carry)
        self.update, self.launched = update_of(
            self.model, self.loss, self.optimizer, carry=self.carry, pieces=self.accumulate, max_norm=self.max_norm,
            measure=any(listener.measures_gradients for listener in self.listeners), compiled=self.compile)
        self.evaluation = Launched(evaluation(self.model, self.loss, carry=self.carry), compiled=self.compile)
        self.inspection = Inspection(getattr(self.loss, "ignore_index", -100))
        self.told_how = False

    # ---------------------------------------------------------------- training
    def fit(self, data: Any, *, held_out: Any = None, epochs: int = 10, batch: int = 32,
            generator: Generator | Source | None = None) -> None:
        """Train until `epochs` passes over `data` are made; after each, measure the metrics on `held_out`.

        `data` is a data set or a pair of arrays, shuffled before each pass by `generator` (or by cr.random's common one) and cut
        into batches of `batch`; or a DataLoader; or anything that gives pairs of inputs and targets one after another. After
        `resume`, training goes on from there, and `epochs` counts the passes made before.

        Raises DataError for data that cannot be trained on, and what listeners raise.
        """
        self.batches = batches_of(data, batch, shuffle=True, generator=generator)
        self.unseen = self.look_at(self.batches, "the data to train on")
        if held_out is not None:
            self.look_at(batches_of(held_out, LARGE), "the data held out")
        self.set_out(epochs)
        with ExitStack() as ends:
            for listener in reversed(self.listeners):
                ends.callback(listener.end)  # of all, even if one fails
            self.tell("begin", self, epochs, length_of(self.batches))
            self.tell("save_point")
            while not self.over:
                self.run_pass(held_out)
            self.tell("finish")

    def run_pass(self, held_out: Any) -> None:
        """The rest of a pass over the data."""
        self.model.train()
        began, place, rate = time.perf_counter(), self.place, self.optimizer.param_groups[0]
        for x, y in self.batches:
            if self.unseen:
                self.inspect(x, y, f"batch {place.batches} of pass {place.epoch + 1}")
            used = rate["lr"]
            loss = self.step(x, y)
            place.step, place.batches, place.total = place.step + 1, place.batches + 1, place.total + loss
            self.tell("after_step", Step(place.step, place.epoch + 1, loss, used, self.gradients))
            self.tell("save_point")
            if self.stopping:
                return
        if not place.batches:
            raise DataError(f"there are no batches in pass {place.epoch + 1}. Give a Dataset, a DataLoader or a list: what gives "
                            "its batches only once serves one pass.")
        seconds = time.perf_counter() - began
        measures = {} if held_out is None else self.evaluate(held_out)
        self.place = Place(place.step, place.epoch + 1)
        self.carried = None
        self.tell("after_epoch", Epoch(self.place.epoch, place.total / place.batches, seconds, measures, place.step, rate["lr"]))
        self.tell("save_point")

    def step(self, x: Any, y: Any) -> float:
        """One update on one batch; returns the loss before it."""
        told = self.update(x, y, self.carried) if self.carry else self.update(x, y)
        if isinstance(told, Told):
            self.carried = arrays(told.carried)
            self.gradients = None if told.norms is None else Gradients(np.asarray(told.norms), float(told.factor))
        if not self.told_how and self.launched.compiled:
            self.told_how = True
            self.tell("note", "the training step is compiled into one native function")
        return float(told.loss if isinstance(told, Told) else told)

    def stop(self) -> None:
        """End the training after the step that is running, with the model whole."""
        self.stopping = True

    @property
    def over(self) -> bool:
        """Whether training was stopped, or all passes were made."""
        return self.stopping or self.place.epoch >= self.epochs

    def set_out(self, epochs: int) -> None:
        """Stand at the beginning, or where the checkpoint that was resumed from stood."""
        self.stopping, self.epochs, self.gradients, self.resumed = False, epochs, None, self.pending is not None
        if self.pending is None:
            self.place, self.carried = Place(), None
            return
        if self.pending["data"] is not None:
            self.batches.load_state_dict(self.pending["data"])
        resuming.set_random_states(self, self.pending["random"])  # after the order of this pass was drawn again
        self.pending = None

    def look_at(self, batches: Any, name: str) -> bool:
        """Look at all data that are in memory now; whether others must be looked at when they come."""
        data = getattr(batches, "dataset", None)
        x, y = getattr(data, "inputs", None), getattr(data, "targets", None)
        here = x is not None and y is not None
        if self.check_data and here:
            self.inspect(x, y, f"{name} ({data.name})" if getattr(data, "name", "rows") != "rows" else name)
        return self.check_data and not here

    def inspect(self, x: Any, y: Any, where: str) -> None:
        """Raise DataError for numbers and labels that cannot be trained on; the first time, see how many classes there are."""
        self.inspection.numbers(x, y, where)
        if not self.inspection.learned:
            before = resuming.random_states(self)
            self.inspection.learn(self.predict(part(x, 0, 2)), part(y, 0, 2))
            resuming.set_random_states(self, before)
        self.inspection.labels(y, where)

    # ---------------------------------------------------------------- use
    def predict(self, inputs: Any) -> np.ndarray[Any, Any]:
        """What the model says of these inputs, nothing being recorded."""
        return predictions(self.model, inputs, carry=self.carry)

    def evaluate(self, data: Any, *, metrics: Any = None, batch: int = LARGE) -> dict[str, float]:
        """The metrics on data, by name; the loss is the mean over rows. Raises ArgumentError for an unknown metric, DataError."""
        mode = self.model.training
        self.model.eval()
        wanted = self.metrics if metrics is None else metrics
        carried, losses, rows, kept = None, 0.0, 0, []
        for number, (x, y) in enumerate(batches_of(data, batch)):
            if self.check_data:
                self.inspect(x, y, f"batch {number} of the data to evaluate")
            scores, loss, carried = self.evaluation(x, y, carried)
            carried = arrays(carried)
            n = rows_of(x)
            losses, rows = losses + float(loss) * n, rows + n
            if wanted is None:
                classes = isinstance(y, np.ndarray) and y.dtype.kind in "iu" and class_axis(scores.shape, y.shape) is not None
                wanted = ("loss", "accuracy") if classes else ("loss",)
            if isinstance(wanted, Mapping) or set(wanted) - set(OF_THE_LOSS):
                kept.append((np.asarray(scores), np.asarray(y)))
        self.model.train(mode)
        if not rows:
            raise DataError("there are no rows to evaluate.")
        columns = [np.concatenate(column) for column in zip(*kept)]
        return measured(wanted, losses / rows, *columns)

    def accuracy(self, data: Any) -> float:
        """The share of rows whose highest score is at the target."""
        return self.evaluate(data, metrics=("accuracy",))["accuracy"]

    # ---------------------------------------------------------------- checkpoints
    def save(self, folder: str | Path) -> Path:
        """Write a checkpoint into a folder: everything that is needed to go on later, bit for bit. Raises StorageError."""
        return resuming.save(self, Path(folder))

    def resume(self, folder: str | Path) -> Path:
        """Put the training back to the newest whole checkpoint in a folder, or to this one; `fit` then goes on from there.

        A damaged checkpoint is passed over with a CheckpointWarning. Raises DataError where there is none, ArgumentError where it
        belongs to another model or optimizer, StorageError.
        """
        return resuming.resume(self, Path(folder))

    def tell(self, event: str, *what: Any) -> None:
        """Call this method of all listeners that have one of their own."""
        for listener in self.listeners:
            getattr(listener, event)(*what)


def predictions(model: Module, inputs: Any, *, carry: bool = False) -> np.ndarray[Any, Any]:
    """What a model says of inputs, some rows at a time, nothing being recorded."""
    mode, rows = model.training, rows_of(inputs)
    model.eval()
    with no_grad():
        pieces = [said(model, part(inputs, i, i + LARGE) if rows > LARGE else inputs, None, carry)[0]
                  for i in range(0, max(rows, 1), LARGE)]
    model.train(mode)
    return np.asarray(pieces[0]) if len(pieces) == 1 else np.concatenate([np.asarray(piece) for piece in pieces])


def measured(wanted: Any, loss: float, predictions: Any = None, targets: Any = None) -> dict[str, float]:
    """The metrics of these names, or by these functions. Raises ArgumentError for an unknown name."""
    if isinstance(wanted, Mapping):
        return {name: float(function(predictions, targets)) for name, function in wanted.items()}
    found = {}
    for name in wanted:
        if name not in METRICS and name not in OF_THE_LOSS:
            raise ArgumentError(f"there is no metric {name!r}; there are {', '.join([*OF_THE_LOSS, *METRICS])}.")
        found[name] = OF_THE_LOSS[name](loss) if name in OF_THE_LOSS else METRICS[name](predictions, targets)
    return found
