"""A plan says how a network is trained, whatever it learns: by which rule, how fast, how long, from which seed."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from chainrule import optim
from chainrule.errors import ArgumentError
from chainrule.nn.module import Module
from chainrule.optim.optimizer import Optimizer

from .listeners import Schedule


class Rule(NamedTuple):
    """An optimizer, the rate that suits most networks, and the momentum where that is an option of its own."""

    made: Callable[..., Optimizer]
    rate: float
    momentum: float | None = None


OPTIMIZERS: dict[str, Rule] = {
    "sgd": Rule(optim.SGD, 0.05, 0.9), "adam": Rule(optim.Adam, 0.005), "adamw": Rule(optim.AdamW, 0.005),
    "adamax": Rule(optim.Adamax, 0.005), "nadam": Rule(optim.NAdam, 0.005), "radam": Rule(optim.RAdam, 0.005),
    "adagrad": Rule(optim.Adagrad, 0.02), "adadelta": Rule(optim.Adadelta, 1.0), "rmsprop": Rule(optim.RMSprop, 0.001, 0.0),
    "lion": Rule(optim.Lion, 0.0005), "lbfgs": Rule(optim.LBFGS, 1.0),
}


def by_step(made: Callable[[Optimizer, int], Any]) -> Callable[[Optimizer, int], Schedule]:
    return lambda optimizer, steps: Schedule(made(optimizer, max(steps, 1)), per="step")


def one_cycle(optimizer: Optimizer, steps: int) -> Any:
    top, moving = optimizer.param_groups[0]["lr"], bool({"momentum", "betas"} & set(optimizer.defaults))
    return optim.lr_scheduler.OneCycleLR(optimizer, top, total_steps=max(steps, 4), cycle_momentum=moving)


SCHEDULES: dict[str, Callable[[Optimizer, int], Schedule] | None] = {  # of an optimizer, and how many steps it has
    "constant": None,
    "cosine": by_step(lambda o, n: optim.lr_scheduler.CosineAnnealingLR(o, n)),
    "linear": by_step(lambda o, n: optim.lr_scheduler.LinearLR(o, 1.0, 0.0, n)),
    "step": by_step(lambda o, n: optim.lr_scheduler.StepLR(o, -(-n // 3))),
    "exponential": by_step(lambda o, n: optim.lr_scheduler.ExponentialLR(o, 0.01 ** (1 / n))),
    "one-cycle": by_step(one_cycle),
    "plateau": lambda o, n: Schedule(optim.lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=3), metric="loss"),
}
ON_THEIR_OWN = ("one-cycle", "plateau")  # schedules that no warm-up can be put before


@dataclass(frozen=True)
class Plan:
    """How to train; None stands for what suits the other choices.

    `steps` takes the place of `epochs` where it is given. `clip` bounds the norm of all gradients together; `early_stopping` is
    how many passes may bring nothing better; `checkpoint_every` is in steps.

    >>> Plan(optimizer="sgd").complete().momentum
    0.9
    """

    optimizer: str = "adam"
    rate: float | None = None
    momentum: float | None = None
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup: int = 0
    clip: float | None = None
    epochs: int = 30
    steps: int | None = None
    batch: int = 32
    early_stopping: int | None = None
    seed: int = 0
    eager: bool = False
    checkpoint_every: int | None = None
    tensorboard: bool = False

    def complete(self) -> Plan:
        """The plan with rate and momentum chosen. Raises ArgumentError where the choices do not go together."""
        rule, name = OPTIMIZERS[self.optimizer], self.optimizer
        if name != "sgd" and (self.nesterov or (self.momentum is not None and rule.momentum is None)):
            raise ArgumentError(f"momentum and nesterov belong to sgd; {name} has averages of its own. Choose the optimizer sgd, "
                                "or leave them out.")
        momentum = rule.momentum if self.momentum is None else self.momentum
        if self.nesterov and not momentum:
            raise ArgumentError("nesterov looks ahead along the momentum, so it needs a momentum above 0, such as 0.9.")
        if name == "lbfgs" and self.weight_decay:
            raise ArgumentError("lbfgs has no weight decay. Leave it out, or choose another optimizer.")
        if self.warmup and self.schedule in ON_THEIR_OWN:
            raise ArgumentError(f"the schedule {self.schedule} has no warm-up before it. Choose cosine or linear, or leave it "
                                "out.")
        return replace(self, momentum=momentum, rate=rule.rate if self.rate is None else self.rate)

    def made_optimizer(self, model: Module) -> Optimizer:
        """The optimizer of a complete plan, for all parameters of a model."""
        options = {"momentum": self.momentum, "nesterov": self.nesterov, "weight_decay": self.weight_decay}
        return OPTIMIZERS[self.optimizer].made(model.parameters(), lr=self.rate, **{k: v for k, v in options.items() if v})

    def schedules(self, optimizer: Optimizer, steps: int) -> list[Schedule]:
        """The listeners that move the rate, over so many steps (0: nobody knows). Raises ArgumentError."""
        made = SCHEDULES[self.schedule]
        if not steps and self.schedule not in ("constant", "plateau"):
            raise ArgumentError(f"the schedule {self.schedule} ends with the training, and nobody knows how many batches there "
                                "are. Say how many steps, or choose constant or plateau.")
        if not self.warmup:
            return [] if made is None else [made(optimizer, steps)]
        rates = optim.lr_scheduler
        rising = rates.LinearLR(optimizer, 1 / (self.warmup + 1), 1.0, self.warmup)
        if made is None:
            return [Schedule(rising, per="step")]
        after = made(optimizer, steps - self.warmup).scheduler
        return [Schedule(rates.SequentialLR(optimizer, [rising, after], milestones=[self.warmup]), per="step")]

    def passes(self, per_pass: int) -> int:
        """How many passes over the data, of so many steps each (0: nobody knows), are begun."""
        if self.steps is None:
            return self.epochs
        return -(-self.steps // per_pass) if per_pass else 10 ** 9

    @property
    def told(self) -> str:
        """The plan in words."""
        momentum = f", momentum {self.momentum:g}{' (Nesterov)' if self.nesterov else ''}" if self.momentum else ""
        more = [f"{word} {value:g}" for word, value in (
            ("weight decay", self.weight_decay), ("warm-up", self.warmup), ("clipped at", self.clip or 0)) if value]
        schedule = [] if self.schedule == "constant" else [self.schedule]
        return ", ".join([f"{self.optimizer}, rate {self.rate:g}{momentum}", *schedule, *more, f"batches of {self.batch}",
                          f"seed {self.seed}"])
