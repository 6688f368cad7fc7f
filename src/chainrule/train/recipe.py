"""A recipe is everything that decides how a network comes out: its sizes, its start, its optimizer, its seed."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.nn import init
from chainrule.nn.activation import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from chainrule.nn.container import Sequential
from chainrule.nn.dropout import Dropout
from chainrule.nn.linear import Linear
from chainrule.nn.loss import CrossEntropyLoss
from chainrule.nn.module import Module
from chainrule.random import Generator

from .curves import svg
from .events import Epoch, Listener
from .files import versions, write_json, write_safely
from .listeners import FiniteLoss, History
from .plan import Plan
from .trainer import Trainer
from .weights import save_weights

ACTIVATIONS: dict[str, Callable[[], Module]] = {
    "relu": ReLU, "leaky_relu": LeakyReLU, "elu": ELU, "gelu": GELU, "silu": SiLU, "softplus": Softplus,
    "tanh": Tanh, "sigmoid": Sigmoid,
}
INITS: dict[str, Callable[..., Any]] = {
    "he": init.kaiming_normal_, "glorot": init.xavier_normal_, "lecun": init.lecun_normal_,
    "small": lambda t, generator: init.normal_(t, std=0.01, generator=generator),
}
SATURATING = ("tanh", "sigmoid")  # activations for which Glorot's start was made; He's for the others


@dataclass(frozen=True)
class Recipe:
    """How to make and train a classifier of fully connected layers; None stands for what suits the other choices."""

    layers: tuple[int, ...] = (128, 64)
    activation: str = "relu"
    init: str | None = None
    optimizer: str = "adam"
    momentum: float | None = None
    nesterov: bool = False
    rate: float | None = None
    batch: int = 32
    epochs: int = 30
    seed: int = 0

    def complete(self) -> Recipe:
        """The recipe with every None replaced. Raises ArgumentError where the choices do not go together."""
        plan = self.plan.complete()
        init = self.init or ("glorot" if self.activation in SATURATING else "he")
        return Recipe(**{**asdict(self), "init": init, "momentum": plan.momentum, "rate": plan.rate})

    @property
    def plan(self) -> Plan:
        """What of the recipe holds for any network."""
        return Plan(**{name: value for name, value in asdict(self).items() if name in Plan.__dataclass_fields__})

    def model(self, inputs: int, outputs: int, generator: Generator, *, dtype: Any = "float32",
              dropout: float = 0.0) -> Sequential:
        """The network of layers fc1, act1, fc2, ..., its weights drawn as `init` says, its biases 0; with dropout, drop1, ..."""
        sizes = (inputs, *self.layers, outputs)
        parts: dict[str, Module] = {}
        for k, (size, following) in enumerate(pairwise(sizes), 1):
            linear = Linear(size, following, dtype=dtype, generator=generator)
            INITS[self.init or "he"](linear.weight, generator=generator)
            linear.bias = init.zeros_(init.parameter((following,), dtype))
            parts[f"fc{k}"] = linear
            if k < len(sizes) - 1:  # the last layer gives scores
                parts |= {f"act{k}": ACTIVATIONS[self.activation](), **({f"drop{k}": Dropout(dropout)} if dropout else {})}
        return Sequential(parts).name_parameters()


def row(epoch: Epoch) -> dict[str, Any]:
    """A pass as it stands among the metrics of a run."""
    return {"number": epoch.number, "loss": epoch.loss, "held_out_loss": epoch.measures.get("loss"), "accuracy": epoch.accuracy,
            "seconds": epoch.seconds}


@dataclass
class Run:
    """A training that is set up: data, model and loop, ready to `fit`, and what was measured."""

    recipe: Recipe
    seen: Dataset
    held_out: Dataset
    model: Sequential
    trainer: Trainer
    history: History
    generator: Generator = field(repr=False)

    def fit(self) -> None:
        """Train as the recipe says. Raises DivergenceError."""
        with np.errstate(all="ignore"):  # numbers that overflow end in a loss that is none, which is told in words
            self.trainer.fit(self.seen, held_out=self.held_out, epochs=self.recipe.epochs, batch=self.recipe.batch,
                             generator=self.generator)

    @property
    def sizes(self) -> str:
        """The sizes of the network, such as 64-128-64-10."""
        weights = [p for p in self.model.parameters() if p.ndim == 2]
        return "-".join(map(str, (weights[0].shape[1], *(w.shape[0] for w in weights))))

    def metrics(self) -> dict[str, Any]:
        """What was done and what came of it, ready for JSON."""
        done = self.history.epochs
        return {
            "recipe": asdict(self.recipe),
            "versions": versions(),
            "data": {"name": self.seen.name, "train": len(self.seen), "held_out": len(self.held_out)},
            "parameters": sum(p.size for p in self.model.parameters()),
            "finished": len(done) == self.recipe.epochs,
            "accuracy": self.trainer.accuracy(self.held_out),
            "epochs": [row(e) for e in done],
            "losses": [float(f"{loss:.6g}") for loss in self.history.losses],
        }

    def save(self, folder: Path) -> list[Path]:
        """Write the curve, the metrics and the weights into a folder; each file is whole or not there. Raises OSError."""
        recipe, metrics = self.recipe, self.metrics()
        paths = [folder / name for name in ("curve.svg", "metrics.json", "weights.safetensors")]
        caption = (f"{self.sizes} {recipe.activation}, {recipe.optimizer} at rate {recipe.rate:g}, batches of {recipe.batch}, "
                   f"seed {recipe.seed}: {metrics['accuracy']:.1%} of {len(self.held_out)} held-out {self.held_out.name}")
        write_safely(paths[0], svg(f"Training on {self.seen.name}", caption, self.history.panels(), x_label="epoch").encode())
        write_json(paths[1], metrics)
        save_weights(paths[2], self.model, {"recipe": repr(recipe)})
        return paths


def prepared(recipe: Recipe, data: Dataset, listeners: Sequence[Listener] = ()) -> Run:
    """A run of the recipe on a fifth held out and the rest of the data; the seed decides the split, the weights and the order.

    Raises ArgumentError where the choices do not go together.
    """
    recipe = recipe.complete()
    seen, held_out = data.split(seed=recipe.seed)
    generator = Generator(recipe.seed)
    model = recipe.model(data.inputs.shape[1], int(data.targets.max()) + 1, generator)
    history = History()
    trainer = Trainer(model, CrossEntropyLoss(), recipe.plan.made_optimizer(model), [history, FiniteLoss(), *listeners])
    return Run(recipe, seen, held_out, model, trainer, history, generator)
