"""A task trained in chainrule as its users do it: by the Trainer, which compiles the step."""
from __future__ import annotations

import chainrule as cr
from chainrule.train.networks import NextCharacter

from .task import ACCURACY, Result, Task


class Losses(cr.train.Listener):
    """Keeps the loss of every step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def after_step(self, step: cr.train.Step) -> None:
        self.values.append(step.loss)


def train(task: Task, seed: int) -> Result:
    """Train and measure once, as the seed draws it."""
    images = task.measure == ACCURACY
    model, (seen, held_out) = task.begun(seed)
    optimizer = cr.optim.AdamW(model.parameters(), task.rate, weight_decay=task.weight_decay)
    schedule = cr.optim.lr_scheduler.OneCycleLR(optimizer, task.rate, task.passes * len(seen))
    losses = Losses()
    trainer = cr.train.Trainer(model, cr.nn.CrossEntropyLoss() if images else NextCharacter(), optimizer,
                               [losses, cr.train.Schedule(schedule, per="step")], carry=task.carry)
    trainer.fit(seen, epochs=task.passes)
    measure = trainer.evaluate(held_out, metrics=(task.measure,))[task.measure]
    guesses = trainer.predict(held_out.dataset.inputs).argmax(-1) if images else None
    return Result(measure * (100 if images else 1), losses.values, guesses, sum(p.size for p in model.parameters()),
                  cr.__version__)
