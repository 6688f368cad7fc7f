"""A training that is killed at random instants, resumed, and in the end compared with one that was left alone.

    python tests/killing.py FOLDER eager       trains in this folder, or goes on there

It has all that makes resuming hard: dropout, a shuffled order cut ahead by a thread, Adam, a schedule for each step, clipping,
early stopping, best weights, logs, and a checkpoint every few steps.
"""
from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import nn, train
from chainrule.data import DataLoader, Dataset
from chainrule.train.checkpoint import checkpoints_in, read_checkpoint

SOURCE = Path(cr.__file__).parent.parent
ROWS, BATCH, EPOCHS, EVERY = 90, 8, 40, 5
STEPS = EPOCHS * -(-ROWS // BATCH)


class Cosine:
    """A schedule for each step, with no more than its interface."""

    def __init__(self, optimizer, steps):
        self.optimizer, self.steps, self.done = optimizer, steps, 0

    def step(self):
        self.done += 1
        for group in self.optimizer.param_groups:
            group["lr"] = 0.01 * (1 + np.cos(np.pi * self.done / self.steps).item()) / 2

    def state_dict(self):
        return {"done": self.done}

    def load_state_dict(self, state):
        self.done = state["done"]


def data(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, 6)).astype(np.float32)
    return Dataset(x, (x @ rng.normal(size=(6, 3))).argmax(1))


def prepared(folder, *, compile, every=EVERY, prefetch=2, listeners=()):
    """The trainer and its loader, as at the very beginning."""
    cr.random.seed(11)
    g = cr.random.Generator(5)
    model = nn.Sequential(nn.Linear(6, 12, generator=g), nn.Tanh(), nn.Dropout(0.3), nn.Linear(12, 3, generator=g))
    optimizer = cr.optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(data(), BATCH, shuffle=True, generator=cr.random.Generator(2), prefetch=prefetch)
    keeping = [train.Checkpoints(folder, every_steps=every, best="loss"), train.Log(folder / "log.csv"),
               train.Log(folder / "steps.jsonl", per="step")] if folder else []
    told = [train.History(), train.FiniteLoss(), train.Schedule(Cosine(optimizer, STEPS), per="step"),
            train.EarlyStopping("loss", patience=EPOCHS), train.GradientNorms(), *keeping, *listeners]
    return train.Trainer(model, nn.CrossEntropyLoss(), optimizer, told, max_norm=1.0, compile=compile), loader


def fit(trainer, loader, epochs=EPOCHS):
    trainer.fit(loader, held_out=data(1), epochs=epochs)
    return {name: value.tobytes() for name, value in trainer.model.state_dict().items()}


def main(folder, mode):
    """Train in a folder, or go on there; the weights stand in a file in the end."""
    trainer, loader = prepared(folder, compile=mode == "compiled")
    if checkpoints_in(folder):
        trainer.resume(folder)
    fit(trainer, loader)
    train.save_weights(folder / "final.safetensors", trainer.model)


# ---------------------------------------------------------------------------------------- from outside
def started(folder, mode):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "error"}
    return subprocess.Popen([sys.executable, __file__, str(folder), mode], env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def killed(folder, mode, draw: random.Random, kills):
    """Start it, kill it at a random instant after the checkpoints begin to change, look at what is left; so many times.

    Returns how many steps the newest checkpoint had each time. Fails where a checkpoint cannot be read.
    """
    reached = []
    while len(reached) < kills:
        process, before = started(folder, mode), listed(folder)
        while listed(folder) == before and process.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        said = process.communicate()[0]
        assert process.returncode in (0, -signal.SIGKILL), said
        found = checkpoints_in(folder)
        for path in found:
            read_checkpoint(path)
        if process.returncode == 0:  # too late
            break
        reached.append(int(found[-1].name.rpartition("-")[2]) if found else 0)
    return reached


def listed(folder):
    return [path.name for path in checkpoints_in(folder)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
