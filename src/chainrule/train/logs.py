"""A log is a file with a row for each step or each pass of a training; a resumed training goes on in it without a seam."""
from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.errors import ArgumentError, InputError

from .events import Epoch, Listener, Step
from .files import naming
from .trainer import Trainer

Row = dict[str, Any]


def row_of_step(step: Step) -> Row:
    norms = {} if step.gradients is None else {"gradient_norm": float((step.gradients.norms.astype(float) ** 2).sum() ** 0.5),
                                              "clipped": step.gradients.factor}
    return {"step": step.number, "epoch": step.epoch, "loss": step.loss, "rate": step.rate, **norms}


def row_of_epoch(epoch: Epoch) -> Row:
    measures = {f"held_out_{name}": value for name, value in epoch.measures.items()}
    return {"epoch": epoch.number, "step": epoch.step, "loss": epoch.loss, "rate": epoch.rate, **measures,
            "seconds": round(epoch.seconds, 3)}


def as_csv(row: Row) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row.values())
    return text.getvalue()


def as_json(row: Row) -> str:
    """A line of JSON; a number that JSON does not know, NaN or infinity, is written as text."""
    known = {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
    return json.dumps(known, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Row], str]] = {".csv": as_csv, ".jsonl": as_json}


class Log(Listener):
    """Writes a row for each pass (or per="step") to a file that ends in .csv, with a line of names first, or in .jsonl.

    A new training begins the file anew only if it is not there yet: else it is refused. One that goes on from a checkpoint takes
    away the rows written after it, which come again. Raises ArgumentError for another ending, InputError, StorageError.
    """

    def __init__(self, path: str | Path, *, per: str = "pass") -> None:
        self.path = Path(path)
        if self.path.suffix not in FORMATS:
            raise ArgumentError(f"Log: the file ends in {' or '.join(FORMATS)}, not {self.path.name!r}.")
        if per not in ("pass", "step"):
            raise ArgumentError(f"Log: per is 'pass' or 'step', not {per!r}.")
        self.per, self.file, self.length = per, None, 0
        self.names: list[str] = []

    file: Any

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        with naming(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            size = self.path.stat().st_size if self.path.exists() else 0
            if size and not trainer.resumed:
                raise InputError(f"{self.path} is the log of a training already. Resume that training, or choose another file.")
            if size < self.length:
                trainer.tell("note", f"{self.path} has lost rows: it has {size} bytes, and had {self.length} at the checkpoint")
            self.file = open(self.path, "ab")  # noqa: SIM115  closed in `end`
            self.file.truncate(min(size, self.length))  # a half row, and rows of steps that are made again

    def after_step(self, step: Step) -> None:
        if self.per == "step":
            self.write(row_of_step(step))

    def after_epoch(self, epoch: Epoch) -> None:
        if self.per == "pass":
            self.write(row_of_epoch(epoch))

    def write(self, row: Row) -> None:
        text = FORMATS[self.path.suffix](row)
        if self.path.suffix == ".csv":
            if not self.names:
                self.names = list(row)
                text = as_csv(dict(zip(row, row))) + text
            elif list(row) != self.names:
                raise ArgumentError(f"{self.path} has the columns {', '.join(self.names)}; now there are {', '.join(row)}. "
                                    "Choose another file.")
        with naming(self.path):
            self.file.write(text.encode())

    def flush(self) -> None:
        if self.file is None:
            return
        with naming(self.path):
            self.file.flush()
            os.fsync(self.file.fileno())

    def end(self) -> None:
        if self.file is not None:
            with naming(self.path):
                self.file.close()
            self.file = None

    def state_dict(self) -> dict[str, Any]:
        return {"length": self.path.stat().st_size if self.path.exists() else 0, "names": self.names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.length, self.names = state["length"], state["names"]


class TensorBoard(Listener):
    """Writes losses, rates, gradient norms and metrics as event files that TensorBoard shows.

    Needs `pip install 'chainrule[tensorboard]'`. Of a training that goes on from a checkpoint, TensorBoard forgets what was
    written after it. Raises ArgumentError where the library is missing.
    """

    def __init__(self, folder: str | Path, *, every_steps: int = 1) -> None:
        try:
            import tensorboardX  # noqa: F401  better now than when training begins
        except ImportError:
            raise ArgumentError("TensorBoard: tensorboardX is not installed. Install it with pip install "
                                "'chainrule[tensorboard]'.") from None
        self.folder, self.every_steps = Path(folder), every_steps
        self.writer: Any = None

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        from tensorboardX import SummaryWriter
        done = trainer.place.step
        with naming(self.folder):
            self.writer = SummaryWriter(str(self.folder), purge_step=done + 1 if trainer.resumed else None)

    def after_step(self, step: Step) -> None:
        if step.number % self.every_steps == 0:
            self.add(step.number, {f"step/{name}": value for name, value in row_of_step(step).items()})

    def after_epoch(self, epoch: Epoch) -> None:
        self.add(epoch.step, {f"pass/{name}": value for name, value in row_of_epoch(epoch).items()})

    def add(self, step: int, values: Row) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def flush(self) -> None:
        if self.writer is not None:
            self.writer.flush()

    def end(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None
