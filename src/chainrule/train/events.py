"""An event is what a trainer tells its listeners: training begins, an update was made, all data were seen, it is over."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .update import Gradients

if TYPE_CHECKING:
    from .trainer import Trainer


class Step(NamedTuple):
    """What listeners are told after each update; `number` and `epoch` count from 1. `gradients` are measured where a listener
    wants them, or they are clipped."""

    number: int
    epoch: int
    loss: float
    rate: float = 0.0
    gradients: Gradients | None = None


@dataclass(frozen=True)
class Epoch:
    """What listeners are told after each pass over the data; `measures` are the metrics of what was held out, by name."""

    number: int
    loss: float
    seconds: float
    measures: Mapping[str, float] = field(default_factory=dict)
    step: int = 0
    rate: float = 0.0

    @property
    def accuracy(self) -> float | None:
        return self.measures.get("accuracy")


@dataclass
class Place:
    """Where a training stands: updates made, whole passes made, and of the pass under way the batches and their losses' sum."""

    step: int = 0
    epoch: int = 0
    batches: int = 0
    total: float = 0.0


class Listener:
    """Somebody who wants to know how training goes; every method may be left out."""

    measures_gradients = False
    """Whether `step.gradients` is asked for, which costs another look at each gradient."""

    def begin(self, trainer: Trainer, epochs: int, steps: int) -> None:
        """Training starts, or goes on: `steps` updates (0: nobody knows) in each of `epochs` passes."""

    def after_step(self, step: Step) -> None:
        """An update was made."""

    def after_epoch(self, epoch: Epoch) -> None:
        """All batches were seen once more."""

    def save_point(self) -> None:
        """Everybody knows of the beginning, the last step, or the last pass: now a checkpoint can be taken."""

    def flush(self) -> None:
        """A checkpoint is about to be taken: what was told so far must be on the disk."""

    def note(self, text: str) -> None:
        """Something that people should read."""

    def finish(self) -> None:
        """Training came to its end, or was stopped in good order."""

    def end(self) -> None:
        """Training is over, for whatever reason."""

    def state_dict(self) -> dict[str, Any]:
        """What must be known to go on from here later: numbers, texts, arrays, and lists, tuples and dicts of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that `state_dict()` gave."""
