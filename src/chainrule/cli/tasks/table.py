"""The task of a table: what stands in one column, seen the others?"""
from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.standardization import Standardization
from chainrule.data.table import table
from chainrule.data.targets import TASKS
from chainrule.nn.loss import CrossEntropyLoss, MSELoss
from chainrule.nn.module import Module
from chainrule.train.metrics import r2
from chainrule.train.plan import Plan
from chainrule.train.task import Task
from chainrule.train.trainer import predictions

from .. import values
from ..answer import Answer, of_classes
from . import network

SUMMARY = ("Train fully connected layers to foretell a column of a CSV or Parquet file from all others: a class where it holds "
           "text or few whole numbers, else a number. Nothing is filled in: a bad cell is named.")
EXAMPLES = ("chainrule train table flowers.csv --target kind", "chainrule train table houses.csv --target price --layers 64,64")
DEFAULT = Plan(epochs=100, rate=0.003, schedule="cosine")
LAYERS = (64, 32)


def configure(add: Any) -> None:
    add("file", type=Path, metavar="FILE", help="the table, with a line of names first")
    add("--target", required=True, metavar="COLUMN", help="what is to be foretold")
    add("--task", choices=TASKS, default="auto", metavar="NAME",
        help="classification or regression (default: what the column holds)")
    add("--held-out", type=values.above_zero_below_one, default=0.2, metavar="SHARE",
        help="share of the rows held out (default: 0.2)")
    network.configure(add, LAYERS)


def prepared(options: argparse.Namespace) -> Task:
    data = replace(table(options.file, options.target, task=options.task), name=f"rows of {options.file.name}")
    seen, held_out = data.split(options.held_out, seed=options.seed, stratified=data.classes is not None)
    scaling = Standardization.fit(seen)
    facts = {"columns": data.columns, "classes": data.classes, "scaling": asdict(scaling), "targets": None}
    seen, held_out = scaling(seen), scaling(held_out)
    if data.classes is None:
        goal = Standardization.fit(seen.targets)
        facts["targets"] = asdict(goal)
        seen, held_out = (replace(part, targets=goal(part.targets)) for part in (seen, held_out))
    outputs = len(data.classes or "1")
    return Task(
        restored(options, facts), CrossEntropyLoss() if data.classes else MSELoss(), seen, held_out,
        metrics=("loss", "accuracy") if data.classes else ("loss", "r2"), best="accuracy" if data.classes else "r2",
        name=data.name, classes=data.classes, facts=facts, kind="mlp",
        summary=f"{options.target} from {len(data.columns or ())} columns, "
                + network.summary(options, LAYERS, len(data.columns or ()), outputs))


def restored(options: argparse.Namespace, facts: Mapping[str, Any]) -> Module:
    return network.made(options, LAYERS, len(facts["columns"]), len(facts["classes"] or "1"))


def answered(model: Module, options: argparse.Namespace, facts: Mapping[str, Any], asked: argparse.Namespace) -> Answer:
    data = read(Path(asked.data), options.target, facts)
    scores = predictions(model, Standardization(**facts["scaling"])(data.inputs))
    if facts["classes"]:
        return of_classes(scores, facts["classes"], data.targets)
    numbers = Standardization(**facts["targets"]).inverse(scores.astype(np.float64))
    foretold = [[i, float(f"{number:.7g}")] for i, number in enumerate(numbers[:, 0].tolist())]
    if data.targets is None:
        return Answer(("row", "predicted"), foretold)
    truth = data.targets[:, 0].astype(np.float64)
    error = float(np.sqrt(np.mean(np.square(numbers[:, 0] - truth))))
    return Answer(("row", "predicted", "target"), [[*row, t] for row, t in zip(foretold, truth.tolist())],
                  [f"root mean squared error {error:.4g}, r2 {r2(numbers, data.targets):.4f}"])


def read(path: Path, target: str, facts: Mapping[str, Any]) -> Dataset:
    """The table, with the columns the network knows, and with the target if it has that column."""
    return table(path, target, optional=True, columns=facts["columns"], classes=facts["classes"],
                 task="classification" if facts["classes"] else "regression")
