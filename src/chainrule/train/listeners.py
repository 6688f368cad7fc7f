"""Listeners that keep the numbers, watch that they are numbers, and give way to Ctrl-C."""
from __future__ import annotations

import math
import signal
from types import FrameType
from typing import Any

from chainrule.errors import DivergenceError

from .curves import Panel, Series
from .trainer import Epoch, Listener, Step, Trainer


class History(Listener):
    """Keeps the loss of every step and the result of every pass."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.epochs: list[Epoch] = []
        self.steps_per_epoch = 1

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.steps_per_epoch = steps

    def after_step(self, step: Step) -> None:
        self.losses.append(step.loss)

    def after_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)

    def panels(self) -> list[Panel]:
        """The loss of each batch and its mean over each pass, and the accuracy where it was measured."""
        steps = [(i + 1) / self.steps_per_epoch for i in range(len(self.losses))]
        means = [Series("mean of the pass", [e.number - 0.5 for e in self.epochs], [e.loss for e in self.epochs])]
        known = [(e.number, e.accuracy) for e in self.epochs if e.accuracy is not None]
        panels = [Panel("training loss", [*means, Series("each batch", steps, self.losses, faint=True)])]
        if known:
            accuracy = Series("accuracy", [n for n, _ in known], [a for _, a in known])
            panels.append(Panel("held-out accuracy", [accuracy], percent=True))
        return panels


class FiniteLoss(Listener):
    """Stops with a DivergenceError as soon as the loss is not a number any more."""

    def __init__(self) -> None:
        self.rate = math.nan
        self.last = math.nan

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.rate = trainer.optimizer.param_groups[0]["lr"]

    def after_step(self, step: Step) -> None:
        if not math.isfinite(step.loss):
            raise DivergenceError(self.reason(step))
        self.last = step.loss

    def reason(self, step: Step) -> str:
        """Why the loss may be no number, and what to try."""
        if step.number == 1:
            return (f"the loss is {step.loss} at the first step, before anything was learned: look for NaN, infinite or huge "
                    "numbers among the data, or a start with huge weights.")
        return (f"the loss became {step.loss} at step {step.number}, in epoch {step.epoch} (it was {self.last:.3g} one step "
                "before): the steps are too large, and the parameters ran away. Try a smaller rate than "
                f"{self.rate:g}, such as {self.rate / 10:g}.")


class Interruption(Listener):
    """Turns Ctrl-C into an orderly stop after the step that is running; a second one stops at once."""

    def __init__(self) -> None:
        self.happened = False
        self.before: Any = None

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        def stop(number: int, frame: FrameType | None) -> None:
            self.happened = True
            trainer.stop()
            signal.signal(signal.SIGINT, self.before)
        self.before = signal.signal(signal.SIGINT, stop)

    def end(self) -> None:
        signal.signal(signal.SIGINT, self.before)
