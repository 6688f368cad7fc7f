"""Keeping takes checkpoints while training goes on, and clears away those that nobody needs any more."""
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from chainrule.errors import ArgumentError, InputError

from .checkpoint import checkpoints_in, name_of, remove_checkpoint, remove_left_over
from .events import Epoch, Listener, Step
from .files import naming
from .listeners import measure_of
from .metrics import better, worst
from .trainer import Trainer


class Checkpoints(Listener):
    """Takes a checkpoint at the beginning, after each pass (or every so many passes, steps or seconds), and when training ends in
    good order.

    The last `keep` stay, and the one after the pass with the best `best`, a metric of what was held out. The folder is made if
    it is not there; one that holds checkpoints of another training is refused. Raises StorageError when a checkpoint cannot be
    written; those before it stay.

    >>> import chainrule as cr, tempfile
    >>> data, folder = cr.data.digits(), tempfile.TemporaryDirectory()
    >>> def trainer():
    ...     model = cr.nn.Linear(64, 10, generator=cr.random.Generator(0))
    ...     optimizer = cr.optim.Adam(model.parameters())
    ...     return cr.train.Trainer(model, cr.nn.CrossEntropyLoss(), optimizer, [cr.train.Checkpoints(folder.name)])
    >>> trainer().fit(data, epochs=2)
    >>> again = trainer()
    >>> again.resume(folder.name).name
    'pass-2-step-114'
    >>> again.fit(data, epochs=3)
    >>> again.place.step
    171
    >>> folder.cleanup()
    """

    def __init__(self, folder: str | Path, *, every_passes: int | None = 1, every_steps: int | None = None,
                 every_seconds: int | None = None, keep: int = 2, best: str | None = None) -> None:
        for name, number in (("every_passes", every_passes), ("every_steps", every_steps), ("every_seconds", every_seconds),
                             ("keep", keep)):
            if number is not None and number < 1:
                raise ArgumentError(f"Checkpoints: {name} is a whole number from 1 up, not {number!r}.")
        self.folder, self.every_passes, self.every_steps, self.keep = Path(folder), every_passes, every_steps, keep
        self.every_seconds, self.taken = every_seconds, 0.0
        self.best, self.best_value, self.best_name = best, worst(best or "loss"), ""
        self.last: str | None = None  # the newest one of this training
        self.due = False

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        self.trainer, self.due = trainer, not trainer.resumed
        with naming(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        remove_left_over(self.folder)
        found = [path.name for path in checkpoints_in(self.folder)]
        self.last = self.name if trainer.resumed and self.name in found else None
        if found and not trainer.resumed:
            raise InputError(f"{self.folder} holds checkpoints of a training already, such as {found[-1]}. Go on from them with "
                             "trainer.resume(folder), or choose another folder.")

    @property
    def name(self) -> str:
        """What a checkpoint taken now is called."""
        return name_of(self.trainer.place.epoch, self.trainer.place.step)

    def after_step(self, step: Step) -> None:
        self.due = self.every_steps is not None and step.number % self.every_steps == 0
        if self.every_seconds is not None and time.monotonic() - self.taken >= self.every_seconds:
            self.due = True

    def after_epoch(self, epoch: Epoch) -> None:
        self.due = self.every_passes is not None and epoch.number % self.every_passes == 0
        if self.best is not None:
            value = measure_of(epoch, self.best, "Checkpoints")
            if better(self.best, value, self.best_value):
                self.best_value, self.best_name, self.due = value, self.name, True

    def save_point(self) -> None:
        if (self.due or self.trainer.over) and self.last != self.name:
            self.trainer.save(self.folder)
            self.last, self.due, self.taken = self.name, False, time.monotonic()
            self.clear_away()

    def clear_away(self) -> None:
        """Remove all but the last ones and the best; what is newer than the last is of a training that was given up."""
        names = [path.name for path in checkpoints_in(self.folder)]
        end = names.index(self.name) + 1
        staying = {*names[max(end - self.keep, 0):end], self.best_name}
        for name in names:
            if name not in staying:
                remove_checkpoint(self.folder / name)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best_name, "value": float(self.best_value)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best_name, self.best_value = state["best"], state["value"]
