"""Trainings in tests: a recipe, the data it is for, and the folder of the run."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from chainrule.data import Dataset
from chainrule.nn.loss import CrossEntropyLoss
from chainrule.random import Generator
from chainrule.train.events import Listener
from chainrule.train.recipe import Recipe
from chainrule.train.run_folder import RunFolder
from chainrule.train.session import Session
from chainrule.train.task import Task


def session(recipe: Recipe, data: Dataset, folder: Path, listeners: Sequence[Listener] = ()) -> Session:
    """A training by the recipe, eager, on four fifths of the data; its seed decides split, weights and order."""
    recipe, run = recipe.complete(), RunFolder(folder)
    run.make()
    seen, held_out = data.split(seed=recipe.seed)
    model = recipe.model(data.inputs.shape[1], int(data.targets.max()) + 1, Generator(recipe.seed))
    task = Task(model, CrossEntropyLoss(), seen, held_out, best="accuracy", name=data.name, told={"recipe": asdict(recipe)})
    return Session(task, replace(recipe.plan, eager=True), run, "a test", listeners=listeners)
