"""A recipe is everything that decides how a network comes out: its sizes, its start, its optimizer, its seed."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from chainrule.nn import init
from chainrule.nn.activation import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from chainrule.nn.container import Sequential
from chainrule.nn.dropout import Dropout
from chainrule.nn.linear import Linear
from chainrule.nn.module import Module
from chainrule.random import Generator

from .plan import Plan

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
