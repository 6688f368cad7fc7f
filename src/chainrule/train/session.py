"""A session trains a task by a plan in the folder of a run, and leaves there what came of it."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from textwrap import shorten
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError
from chainrule.random import Generator

from .curves import Panel, Series, svg
from .events import Epoch, Listener, Step
from .feeding import batches_of, length_of
from .files import versions, write_json, write_safely
from .keeping import Checkpoints
from .listeners import EarlyStopping, FiniteLoss, GradientNorms, History
from .logs import Log, TensorBoard
from .plan import Plan
from .report import Confusion, Report, Sample
from .run_folder import CURVE, EVENTS, LOG, METRICS, REPORT, STEPS, WEIGHTS, RunFolder
from .task import Task
from .trainer import Trainer
from .weights import save_weights

POINTS = 400  # of a curve of gradient norms that are kept
DRAWN = 80  # and drawn: means of neighbours
SAMPLES = 6  # how many a network writes while it learns
SECONDS = 10  # between checkpoints: each costs a moment, as the disk must have it
CAPTION = 96  # characters below the title of a curve
MOST_LOSSES = 4000  # that a report draws


class StopAfter(Listener):
    """Ends a training after so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.trainer = trainer
        self.look(trainer.place.step)

    def after_step(self, step: Step) -> None:
        self.look(step.number)

    def look(self, done: int) -> None:
        if done >= self.steps:
            self.trainer.stop()


class Samples(Listener):
    """Lets a network write every so many steps, keeps what it wrote, and notes it; `shown` makes a text fit to be shown."""

    def __init__(self, write: Callable[[int], str], every: int, shown: Callable[[str], str] = str) -> None:
        self.write, self.every, self.shown = write, max(every, 1), shown
        self.written: list[Sample] = []

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.trainer = trainer

    def after_step(self, step: Step) -> None:
        if step.number % self.every == 0:
            sample = Sample(f"after {step.number:,} steps", self.write(step.number))
            self.written.append(sample)
            self.trainer.tell("note", f"\nwritten {sample.when}:\n{self.shown(sample.text)}\n")

    def state_dict(self) -> dict[str, Any]:
        return {"written": [asdict(sample) for sample in self.written]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.written = [Sample(**sample) for sample in state["written"]]


class Session:
    """A task, a complete plan and a folder made into a training that is ready to `fit`.

    `command` repeats it; `listeners` print, and are told of everything first. Raises ArgumentError where task and plan
    do not fit.
    """

    def __init__(self, task: Task, plan: Plan, folder: RunFolder, command: str, *, listeners: Sequence[Listener] = (),
                 shown: Callable[[str], str] = str) -> None:
        self.task, self.plan, self.folder, self.command = task, plan, folder, command
        self.batches = batches_of(task.data, plan.batch, shuffle=True, generator=Generator(plan.seed))
        per_pass = length_of(self.batches)
        self.epochs = plan.passes(per_pass)
        self.steps = plan.steps or self.epochs * per_pass
        optimizer = plan.made_optimizer(task.model)
        self.history, self.norms = History(), GradientNorms(max(1, self.steps // POINTS))
        self.samples = Samples(task.write, self.steps // SAMPLES or 200, shown) if task.write else None
        metric = task.best if task.held_out is not None else "loss"
        self.trainer = Trainer(task.model, task.loss, optimizer, [
            self.history, FiniteLoss(), self.norms, *listeners, *plan.schedules(optimizer, self.steps),
            *([self.samples] if self.samples else []),
            *([EarlyStopping(metric, patience=plan.early_stopping)] if plan.early_stopping else []),
            *([StopAfter(plan.steps)] if plan.steps and plan.steps != self.epochs * per_pass else []),
            *([TensorBoard(folder.path / EVENTS)] if plan.tensorboard else []),
            Log(folder.path / LOG), Log(folder.path / STEPS, per="step"),
            Checkpoints(folder.checkpoints, every_passes=None, every_steps=plan.checkpoint_every,
                        every_seconds=None if plan.checkpoint_every else SECONDS),
        ], metrics=task.metrics, max_norm=plan.clip, carry=task.carry, compile=not plan.eager)
        self.measures: dict[str, float] = {}

    def fit(self) -> None:
        """Train to the end, from the newest checkpoint on if there is one. Raises DivergenceError, DataError, StorageError."""
        if self.folder.can_go_on:
            self.trainer.resume(self.folder.checkpoints)
        with np.errstate(all="ignore"):  # numbers that overflow end in a loss that is none, which is told in words
            self.trainer.fit(self.batches, held_out=self.task.held_out, epochs=self.epochs)
        self.measures = {} if self.task.held_out is None else self.trainer.evaluate(self.task.held_out)

    # ---------------------------------------------------------------------------------------- what came of it
    def save(self, configuration: Mapping[str, Any], *, finished: bool) -> None:
        """Write weights, metrics, curve and report into the folder, each whole or not there. Raises StorageError."""
        path = self.folder.path
        save_weights(path / WEIGHTS, self.task.model, {"task": self.task.name})
        write_json(path / METRICS, self.metrics(finished))
        caption = ", ".join([*(f"held-out {name} {shown(name, v)}" for name, v in self.measures.items()), self.plan.told])
        curve = svg(self.title, shorten(caption, CAPTION, placeholder=" ..."), self.panels(), x_label="epoch")
        write_safely(path / CURVE, curve.encode())
        write_safely(path / REPORT, self.report(configuration, finished).page().encode())

    @property
    def title(self) -> str:
        return f"Training on {self.task.name}"

    def metrics(self, finished: bool) -> dict[str, Any]:
        """What was done and what came of it, ready for JSON."""
        done = self.history.epochs
        return {
            **self.task.told, "versions": versions(), "data": self.task.counts, "parameters": self.task.parameters,
            "finished": finished, "steps": self.trainer.place.step, "measures": jsonable(self.measures),
            **({"accuracy": self.measures["accuracy"]} if "accuracy" in self.measures else {}),
            "epochs": [row(epoch) for epoch in done], "losses": [float(f"{loss:.6g}") for loss in self.history.losses],
        }

    def panels(self) -> list[Panel]:
        return self.history.panels(at_most=MOST_LOSSES)

    def report(self, configuration: Mapping[str, Any], finished: bool) -> Report:
        task, held_out = self.task, self.task.counts["held_out"]
        results = {f"held-out {name}": shown(name, value) for name, value in self.measures.items()}
        if self.history.epochs:
            results["training loss"] = f"{self.history.epochs[-1].loss:.4g}"
        results |= {"steps": f"{self.trainer.place.step:,}", "passes": f"{self.trainer.place.epoch} of {self.epochs}"}
        notes = ["; ".join(filter(None, [counted(task), task.summary, f"{task.parameters:,} parameters"])),
                 *([] if finished else [f"Interrupted. To go on: chainrule resume {self.folder}"])]
        per_pass = self.history.steps_per_epoch
        norms = [Series(name, thinned([s / per_pass for s in self.norms.steps]), thinned(values))
                 for name, values in self.norms.before().items()]
        return Report(
            self.title, self.command, results, configuration, "epoch", self.panels(), gradients=Panel("gradient norm", norms),
            confusion=self.confusion() if held_out else None, samples=self.samples.written if self.samples else (), notes=notes)

    def confusion(self) -> Confusion | None:
        """What was taken for what among the data held out, where targets are classes in memory."""
        targets = getattr(self.task.held_out, "targets", None)
        if self.task.classes is None or targets is None or np.ndim(targets) != 1:
            return None
        predicted = self.trainer.predict(self.task.held_out.inputs).argmax(axis=1)
        return Confusion.of(targets, predicted, self.task.classes)


def thinned(numbers: Sequence[float]) -> list[float]:
    """Means of neighbours, as many as can be told apart in a curve."""
    every = max(1, -(-len(numbers) // DRAWN))
    return [float(np.mean(numbers[i:i + every])) for i in range(0, len(numbers), every)]


def counted(task: Task) -> str:
    """How many rows there are, in words; empty where nobody knows."""
    seen, held_out = task.counts["train"], task.counts["held_out"]
    parts = ([f"{seen:,} to train on"] if seen else []) + ([f"{held_out:,} held out"] if held_out else [])
    return ", ".join(parts)


def shown(metric: str, value: float) -> str:
    """A measure as people read it."""
    return f"{value:.2%}" if metric.endswith("accuracy") else f"{value:.4g}"


def row(epoch: Epoch) -> dict[str, Any]:
    """A pass as it stands among the metrics of a run."""
    measures = {f"held_out_{name}" if name == "loss" else name: value for name, value in epoch.measures.items()}
    return {"number": epoch.number, "loss": epoch.loss, **jsonable(measures), "seconds": epoch.seconds}


def jsonable(measures: Mapping[str, float]) -> dict[str, float | None]:
    """Measures with None where they are no finite number, which JSON does not know."""
    return {name: float(value) if np.isfinite(value) else None for name, value in measures.items()}


def must_be_the_same(data: Mapping[str, Any], task: Task, folder: RunFolder) -> None:
    """Raise ArgumentError where a run was begun with other data than the task has now."""
    for name, value in task.counts.items():
        if name != "name" and data.get(name) != value:
            raise ArgumentError(f"{folder} was begun with other data: {task.name} changed since. Put them back, or train anew "
                                "with another --out.")
