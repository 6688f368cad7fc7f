"""A run is a folder that a training fills: what it is, how it goes, what it can go on from, and what came of it.

    runs/digits/
      config.json            the task and all its options, the command, versions, the data's fingerprint
      log.csv, steps.jsonl   a row for each pass, a row for each step
      checkpoints/           the last ones
      weights.safetensors, metrics.json, curve.svg, report.html       in the end
"""
from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError, DataError, InputError

from .checkpoint import checkpoints_in
from .files import LARGEST_JSON, json_object, naming, read_whole, write_json
from .task import best_of

CONFIG, METRICS, WEIGHTS, LOG, STEPS = "config.json", "metrics.json", "weights.safetensors", "log.csv", "steps.jsonl"
CURVE, REPORT, CHECKPOINTS, EVENTS = "curve.svg", "report.html", "checkpoints", "tensorboard"
SOUND: dict[str, type | tuple[type, ...]] = {  # of a config, what is needed to go on with it
    "task": str, "options": dict, "command": str, "data": dict, "facts": dict, "epochs": int, "best": str}
LARGEST_LOG = 64 * 2 ** 20


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds a run, or will."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def begun(self) -> bool:
        """Whether there is a run in it."""
        return (self.path / CONFIG).is_file()

    @property
    def checkpoints(self) -> Path:
        return self.path / CHECKPOINTS

    def make(self) -> None:
        """Make the folder, and see that it can be written to: no training that cannot be kept. Raises InputError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(f"--out {self.path} cannot be written to: {error.strerror}.") from None

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write what the run is, before anything else. Raises StorageError."""
        write_json(self.path / CONFIG, config)

    @cached_property
    def config(self) -> dict[str, Any]:
        """What the run is. Raises DataError for a folder without a run, or with a damaged one; StorageError."""
        if not self.begun:
            there = "is no folder" if not self.path.is_dir() else f"holds no run: it has no file {CONFIG}"
            raise DataError(f"{self.path} {there}. `chainrule runs` lists the runs there are.")
        config = json_object(read_whole(self.path / CONFIG, LARGEST_JSON), self.path / CONFIG)
        for name, kind in SOUND.items():
            if not isinstance(config.get(name), kind):
                raise DataError(f"{self.path / CONFIG} does not hold what a run is: {name} is "
                                f"{json.dumps(config.get(name))!s:.40}.")
        return config

    @property
    def can_go_on(self) -> bool:
        """Whether there is a checkpoint. Raises StorageError."""
        return bool(checkpoints_in(self.checkpoints))

    @property
    def worth_keeping(self) -> bool:
        """Whether anything was learned, so that nothing may be written over it. Raises StorageError."""
        return self.begun and (self.can_go_on or (self.path / WEIGHTS).exists())

    def passes(self) -> list[dict[str, float]]:
        """The rows of the log: the passes that were made. Raises DataError, StorageError."""
        path = self.path / LOG
        if not path.is_file():
            return []
        try:
            found = csv.DictReader(io.StringIO(read_whole(path, LARGEST_LOG).decode()), strict=True)
            return [{name: float(value) for name, value in row.items()} for row in found]
        except (ValueError, TypeError, csv.Error):
            raise DataError(f"{path} is no log of passes: it is damaged.") from None

    def metrics(self) -> dict[str, Any]:
        """What came of the run; empty while nothing did. Raises DataError, StorageError."""
        path = self.path / METRICS
        return json_object(read_whole(path, LARGEST_JSON), path) if path.is_file() else {}

    def summary(self) -> dict[str, str]:
        """A row of the list of runs; of a damaged run, what is wrong."""
        try:
            config, passes, metrics = self.config, self.passes(), self.metrics()
        except ChainruleError as error:
            return {"name": self.path.name, "state": f"damaged: {error}"}
        metric = config["best"]
        values = [value for row in passes for name, value in row.items() if name == f"held_out_{metric}"]
        values = values or [row["loss"] for row in passes if metric == "loss" and "loss" in row]
        final = metrics.get("measures", {}).get(metric) if isinstance(metrics.get("measures"), dict) else None
        best = best_of(metric, [*values, *([final] if isinstance(final, float) else [])])
        return {
            "name": self.path.name, "task": config["task"], "model": str(config.get("model", "")),
            "passes": f"{len(passes)}/{config['epochs']}",
            "best": "-" if best is None else f"{metric} {f'{best:.2%}' if metric == 'accuracy' else f'{best:.4g}'}",
            "state": "finished" if metrics.get("finished") else "interrupted" if metrics or passes or self.can_go_on else "begun",
            "when": str(config.get("began", ""))[5:16].replace("T", " "),
        }


def called(path: Path) -> Iterator[RunFolder]:
    """The folders of runs called like this path, without a number and with the numbers 2, 3, ..."""
    yield RunFolder(path)
    yield from (RunFolder(path.with_name(f"{path.name}-{number}")) for number in count(2))


def free(path: Path) -> RunFolder:
    """The first folder called like this that holds nothing worth keeping."""
    return next(folder for folder in called(path) if not folder.worth_keeping)


def last(path: Path) -> RunFolder:
    """The last run called like this; where there is none, the folder of the first."""
    begun = list(takewhile(lambda folder: folder.begun, called(path)))
    return begun[-1] if begun else RunFolder(path)


def runs_in(folder: Path) -> list[RunFolder]:
    """The runs in a folder, the oldest first. Raises DataError, StorageError."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder. Say in which folder the runs are; `chainrule train` makes runs/.")
    with naming(folder):
        found = [RunFolder(path) for path in folder.iterdir() if (path / CONFIG).is_file()]
        return sorted(found, key=lambda run: ((run.path / CONFIG).stat().st_mtime, run.path.name))
