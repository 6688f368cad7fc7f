"""Progress is where training stands, shown while it stands there."""
from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from .events import Epoch, Listener, Step
from .trainer import Trainer

SMOOTHING = 0.95  # how much of the loss shown is its past
INTERVAL = 0.05  # seconds between updates of the bar: it must not cost what the training costs
LINES = 10  # about how many lines a training may fill


class ProgressBar(Listener):
    """A bar with the running loss, the learning rate and the speed; it is gone when training ends."""

    def __init__(self, console: Console) -> None:
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"), BarColumn(bar_width=24), TextColumn("loss {task.fields[loss]}"),
            TextColumn("rate {task.fields[rate]}"), TextColumn("{task.fields[speed]} steps/s"), TimeRemainingColumn(),
            console=console, transient=True)

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.epochs, self.groups = epochs, trainer.optimizer.param_groups
        self.began, self.shown, self.mean, self.first = time.perf_counter(), 0.0, 0.0, trainer.place.step
        self.task = self.bar.add_task("", total=epochs * steps or None, completed=self.first, loss="-",
                                      epoch=f"{trainer.place.epoch}/{epochs}", speed="-", rate=f"{self.groups[0]['lr']:.3g}")
        self.bar.start()

    def after_step(self, step: Step) -> None:
        self.mean += (step.loss - self.mean) * max(1 - SMOOTHING, 1 / (step.number - self.first))
        self.step, now = step, time.perf_counter()
        if now - self.shown >= INTERVAL:
            self.show(now)

    def after_epoch(self, epoch: Epoch) -> None:
        self.show(time.perf_counter())  # before the line of the epoch is printed above the bar

    def show(self, now: float) -> None:
        self.shown = now
        self.bar.update(self.task, completed=self.step.number, epoch=f"{self.step.epoch}/{self.epochs}", loss=f"{self.mean:.4f}",
                        rate=f"{self.groups[0]['lr']:.3g}", speed=f"{(self.step.number - self.first) / (now - self.began):,.0f}")

    def end(self) -> None:
        self.bar.stop()


class EpochLines(Listener):
    """A line after each pass over the data; of long trainings, after every so many."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.epochs, self.every = epochs, max(1, -(-epochs // LINES))

    def after_epoch(self, epoch: Epoch) -> None:
        if epoch.number % self.every == 0 or epoch.number in (1, self.epochs):
            self.console.print(f"epoch {epoch.number:{len(str(self.epochs))}}   loss {epoch.loss:.4f}{measured(epoch)}")

    def note(self, text: str) -> None:
        self.console.print(text, markup=False)


def measured(epoch: Epoch) -> str:
    """What was measured on the data held out: the accuracy, or else everything."""
    if epoch.accuracy is not None:
        return f"   held-out accuracy {epoch.accuracy:7.2%}"
    return f"   held-out {', '.join(f'{name} {value:.4f}' for name, value in epoch.measures.items())}" if epoch.measures else ""
