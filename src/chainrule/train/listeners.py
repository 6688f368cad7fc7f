"""Listeners that keep the numbers, watch that they are numbers, steer the rate, and end a training at the right time."""
from __future__ import annotations

import math
import signal
import threading
from dataclasses import asdict
from types import FrameType
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DivergenceError

from .curves import Panel, Series
from .events import Epoch, Listener, Step
from .metrics import OF_THE_LOSS, better, worst
from .trainer import Trainer
from .weights import Arrays


class History(Listener):
    """Keeps the loss of every step and the result of every pass."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.epochs: list[Epoch] = []
        self.steps_per_epoch = 1

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.steps_per_epoch = steps or self.steps_per_epoch

    def after_step(self, step: Step) -> None:
        self.losses.append(step.loss)

    def after_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)

    def panels(self, *, at_most: int | None = None) -> list[Panel]:
        """The loss of each batch (or means of neighbours, at most so many), of each pass, of what was held out; other metrics."""
        every = 1 if at_most is None else max(1, -(-len(self.losses) // at_most))
        losses = [sum(some) / len(some) for i in range(0, len(self.losses), every) if (some := self.losses[i:i + every])]
        ends = [min(i + every, len(self.losses)) for i in range(0, len(self.losses), every)]
        steps = [(i * every + 1 + end) / 2 / self.steps_per_epoch for i, end in enumerate(ends)]
        held_out = self.measured("loss")
        panels = [Panel("training loss" if held_out is None else "loss", [
            Series("mean of the pass", [e.number - 0.5 for e in self.epochs], [e.loss for e in self.epochs]),
            *([held_out] if held_out else []), Series("each batch", steps, losses, faint=True)])]
        names = dict.fromkeys(name for e in self.epochs for name in e.measures if name not in OF_THE_LOSS)
        return panels + [Panel(f"held-out {name}", [self.measured(name)], percent=name.endswith("accuracy")) for name in names]

    def measured(self, metric: str) -> Series | None:
        """A metric of what was held out, over the passes; None where it was never measured."""
        known = [(e.number, e.measures[metric]) for e in self.epochs if metric in e.measures]
        name = "held out" if metric == "loss" else metric
        return Series(name, [n for n, _ in known], [value for _, value in known]) if known else None

    def state_dict(self) -> dict[str, Any]:
        return {"losses": np.array(self.losses), "epochs": [asdict(epoch) for epoch in self.epochs]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.losses, self.epochs = state["losses"].tolist(), [Epoch(**epoch) for epoch in state["epochs"]]


class FiniteLoss(Listener):
    """Stops with a DivergenceError as soon as the loss is not a number any more."""

    def __init__(self) -> None:
        self.last = math.nan

    def after_step(self, step: Step) -> None:
        if not math.isfinite(step.loss):
            raise DivergenceError(self.reason(step))
        self.last = step.loss

    def state_dict(self) -> dict[str, Any]:
        return {"last": self.last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.last = state["last"]

    def reason(self, step: Step) -> str:
        """Why the loss may be no number, and what to try."""
        if step.number == 1:
            return (f"the loss is {step.loss} at the first step, before anything was learned: look for NaN, infinite or huge "
                    "numbers among the data, or a start with huge weights.")
        return (f"the loss became {step.loss} at step {step.number}, in epoch {step.epoch} (it was {self.last:.3g} one step "
                "before): the steps are too large, and the parameters ran away. Try a smaller rate than "
                f"{step.rate:g}, such as {step.rate / 10:g}.")


class Interruption(Listener):
    """Turns Ctrl-C into an orderly stop after the step that is running; a second one stops at once.

    `advice`, such as the command to go on with, is noted in the end; what `Checkpoints` keeps is written before.
    """

    def __init__(self, advice: str = "") -> None:
        self.happened = False
        self.advice = advice
        self.before: Any = None

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.trainer, self.happened, self.before = trainer, False, None

        def stop(number: int, frame: FrameType | None) -> None:
            self.happened = True
            trainer.stop()
            signal.signal(signal.SIGINT, self.before)
        if threading.current_thread() is threading.main_thread():  # no other may say what a signal does
            self.before = signal.signal(signal.SIGINT, stop)

    def finish(self) -> None:
        if self.happened and self.advice:
            self.trainer.tell("note", f"interrupted after step {self.trainer.place.step}. {self.advice}")

    def end(self) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)


class Schedule(Listener):
    """Moves the learning rate by a scheduler of `cr.optim.lr_scheduler`, after each pass, or after each step with per="step".

    With `metric`, such as "loss", the scheduler is told that number of what was held out (without held-out data, "loss" is the
    mean loss of the pass), as ReduceLROnPlateau wants it.
    """

    def __init__(self, scheduler: Any, *, per: str = "pass", metric: str | None = None) -> None:
        if per not in ("pass", "step"):
            raise ArgumentError(f"Schedule: per is 'pass' or 'step', not {per!r}.")
        if metric is not None and per == "step":
            raise ArgumentError("Schedule: a metric is known after each pass; leave per at 'pass'.")
        self.scheduler, self.per, self.metric = scheduler, per, metric

    def after_step(self, step: Step) -> None:
        if self.per == "step":
            self.scheduler.step()

    def after_epoch(self, epoch: Epoch) -> None:
        if self.metric is not None:
            self.scheduler.step(measure_of(epoch, self.metric, "Schedule"))
        elif self.per == "pass":
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        return {"scheduler": self.scheduler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.scheduler.load_state_dict(state["scheduler"])


def measure_of(epoch: Epoch, metric: str, who: str) -> float:
    """A metric of what was held out; the loss of the pass where nothing was."""
    if metric in epoch.measures:
        return epoch.measures[metric]
    if metric == "loss" and not epoch.measures:
        return epoch.loss
    there = ", ".join(epoch.measures) or "no held-out data"
    raise ArgumentError(f"{who}: {metric!r} was not measured; there are {there}. Name it in the trainer's metrics, and give "
                        "fit() held-out data.")


class Best(Listener):
    """Remembers the weights of the pass with the best metric.

    Without held-out data, "loss" is the mean loss of the pass. `restore()` gives the model those weights again; with
    restore_best, that happens when all passes are made.
    """

    def __init__(self, metric: str = "loss", *, min_delta: float = 0.0, restore_best: bool = True) -> None:
        if min_delta < 0:
            raise ArgumentError(f"{type(self).__name__}: min_delta is a number from 0 up, not {min_delta!r}.")
        self.metric, self.min_delta, self.restore_best = metric, min_delta, restore_best
        self.value, self.epoch, self.waited = worst(metric), 0, 0
        self.weights: Arrays | None = None

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.trainer = trainer

    def after_epoch(self, epoch: Epoch) -> None:
        value = measure_of(epoch, self.metric, type(self).__name__)
        self.waited += 1
        if better(self.metric, value, self.value, by=self.min_delta):
            self.value, self.epoch, self.waited = value, epoch.number, 0
            if self.restore_best:
                self.weights = {name: array.copy() for name, array in self.trainer.model.state_dict().items()}

    def finish(self) -> None:
        if self.restore_best and self.trainer.place.epoch >= self.trainer.epochs:
            self.restore()

    def restore(self) -> None:
        """Give the model the best weights again."""
        if self.weights is not None:
            self.trainer.model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        return {"value": float(self.value), "epoch": self.epoch, "waited": self.waited, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value, self.epoch, self.waited, self.weights = (state[name] for name in ("value", "epoch", "waited", "weights"))


class EarlyStopping(Best):
    """Stops when a metric has not improved by more than `min_delta` for `patience` passes, and gives the best weights back.

    Prechelt, "Early stopping - but when?", 1998.
    """

    def __init__(self, metric: str = "loss", *, patience: int = 5, min_delta: float = 0.0, restore_best: bool = True) -> None:
        super().__init__(metric, min_delta=min_delta, restore_best=restore_best)
        if patience < 1:
            raise ArgumentError(f"EarlyStopping: patience is a whole number of passes from 1 up, not {patience!r}.")
        self.patience = patience

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        super().begin(trainer, epochs, steps)
        self.stop_if_exhausted()  # a training may go on from where it had just been stopped

    def after_epoch(self, epoch: Epoch) -> None:
        super().after_epoch(epoch)
        self.stop_if_exhausted()

    def stop_if_exhausted(self) -> None:
        if self.waited >= self.patience:
            self.trainer.stop()
            self.trainer.tell("note", f"stopped early: {self.metric} was best after pass {self.epoch}, at {self.value:.4g}")

    def finish(self) -> None:
        if self.restore_best and (self.waited >= self.patience or self.trainer.place.epoch >= self.trainer.epochs):
            self.restore()


class GradientNorms(Listener):
    """Keeps how large the gradients of each layer were in each step (or of every so many), before clipping and after it."""

    measures_gradients = True

    def __init__(self, every: int = 1) -> None:
        self.every = every
        self.names: list[str] = []
        self.steps: list[int] = []
        self.norms: list[np.ndarray[Any, Any]] = []
        self.factors: list[float] = []

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.names, self.layer_of = layers(trainer)

    def after_step(self, step: Step) -> None:
        if step.number % self.every == 0 and step.gradients is not None:
            squares = np.bincount(self.layer_of, step.gradients.norms.astype(np.float64) ** 2, len(self.names))
            self.steps.append(step.number)
            self.norms.append(np.sqrt(squares))
            self.factors.append(step.gradients.factor)

    def before(self) -> dict[str, np.ndarray[Any, Any]]:
        """The norms before clipping, by layer, one for each of `steps`."""
        return dict(zip(self.names, np.array(self.norms).reshape(len(self.norms), len(self.names)).T))

    def after(self) -> dict[str, np.ndarray[Any, Any]]:
        """The norms after clipping."""
        return {name: norms * np.array(self.factors) for name, norms in self.before().items()}

    def state_dict(self) -> dict[str, Any]:
        return {"steps": np.array(self.steps, np.int64), "norms": np.array(self.norms), "factors": np.array(self.factors)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps, self.factors = state["steps"].tolist(), state["factors"].tolist()
        self.norms = list(state["norms"])


def layers(trainer: Trainer) -> tuple[list[str], np.ndarray[Any, Any]]:
    """The layers that are trained, by name, and which of them each of the optimizer's parameters belongs to."""
    known = {id(p): name.rpartition(".")[0] or name for name, p in trainer.model.named_parameters()}
    owners = [known.get(id(p), "outside the model") for group in trainer.optimizer.param_groups for p in group["params"]]
    names = list(dict.fromkeys(owners))
    return names, np.array([names.index(owner) for owner in owners])
