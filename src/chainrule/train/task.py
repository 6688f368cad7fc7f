"""A task is what is to be learned: a network, a loss, data, and what is to be told of the network once it has learned."""
from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.core.tree import flatten
from chainrule.nn.module import Module

from .feeding import is_pair
from .metrics import HIGHER_IS_BETTER
from .update import Loss


@dataclass
class Task:
    """What a training needs beside a plan.

    `data` and `held_out` are what `Trainer.fit` takes. `best` is the metric that counts. `classes` are the names of classes where
    targets are such; `kind` is a word for the network, `summary` says more of it. `facts` go into the folder of the run, as JSON:
    what is needed to use the network later; `told` goes among its metrics. `write` lets the network write a text, from a seed.

    >>> import numpy as np, chainrule as cr
    >>> task = Task(cr.nn.Linear(2, 1), cr.nn.MSELoss(), cr.data.Dataset(np.eye(2), np.ones((2, 1))))
    >>> task.best, task.parameters
    ('loss', 3)
    """

    model: Module
    loss: Loss
    data: Any
    held_out: Any = None
    metrics: Sequence[str] | Mapping[str, Callable[[Any, Any], float]] | None = None
    carry: bool = False
    best: str = "loss"
    name: str = "data"
    kind: str = ""
    summary: str = ""
    classes: Sequence[str] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    write: Callable[[int], str] | None = None
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        data = getattr(self.data, "dataset", self.data)
        if self.fingerprint is None and hasattr(data, "inputs"):
            self.fingerprint = fingerprint(data.inputs, data.targets)
        elif self.fingerprint is None and is_pair(data):
            self.fingerprint = fingerprint(*data)

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        return sum(p.size for p in self.model.parameters())

    @property
    def counts(self) -> dict[str, Any]:
        """What there is to learn from: rows to train on and held out, where that is known, and the data's fingerprint."""
        return {"name": self.name, "train": rows(self.data), "held_out": rows(self.held_out), "fingerprint": self.fingerprint}


def rows(data: Any) -> int | None:
    """How many rows there are; of batches nobody knows."""
    if data is None:
        return 0
    data = getattr(data, "dataset", data)
    if is_pair(data):
        return len(data[0])
    return len(data) if hasattr(data, "rows") else None


def fingerprint(*arrays: Any) -> str:
    """A hash of trees of arrays, their shapes and dtypes: the same for the same data alone."""
    digest = hashlib.sha256()
    for leaf in flatten(arrays)[0]:
        array = np.ascontiguousarray(leaf)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes() if array.dtype.kind == "O" else memoryview(array).cast("B"))
    return digest.hexdigest()[:32]


def best_of(metric: str, values: Sequence[float]) -> float | None:
    """The best of a metric's values; None if there is none."""
    finite = [v for v in values if np.isfinite(v)]
    return (max if metric in HIGHER_IS_BETTER else min)(finite, default=None)
