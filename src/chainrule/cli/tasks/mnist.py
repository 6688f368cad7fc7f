"""The task of images in MNIST's form: which class is this picture of?"""
from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.data.mnist import mnist
from chainrule.errors import DataError
from chainrule.nn.loss import CrossEntropyLoss
from chainrule.nn.module import Module
from chainrule.train.networks import convolutional
from chainrule.train.plan import Plan
from chainrule.train.task import Task

from ..answer import Answer
from . import network, pictures

SUMMARY = ("Train a convolutional network on images in MNIST's files (train-images-idx3-ubyte and so on, as they are or as .gz); "
           "the test images are held out.")
EXAMPLES = ("chainrule train mnist --path data/mnist --epochs 5", "chainrule train mnist --path data/mnist --download")
DEFAULT = Plan(epochs=10, batch=64, rate=0.003, schedule="cosine")


def configure(add: Any) -> None:
    add("--path", type=Path, required=True, metavar="DIR", help="folder with the four files")
    add("--download", action="store_true", help="fetch MNIST into the folder first, if it is not there")
    network.configure_dropout(add, 0.25)


def prepared(options: argparse.Namespace) -> Task:
    seen, held_out = (mnist(options.path, train=train, download=options.download) for train in (True, False))
    if seen.inputs.shape[1:] != held_out.inputs.shape[1:]:
        raise DataError(f"{options.path}: the images to train on are {seen.inputs.shape[2:]}, and those to test "
                        f"{held_out.inputs.shape[2:]}. Take both from one data set.")
    facts = {"shape": list(seen.inputs.shape[1:]), "classes": list(seen.classes or ())}
    return Task(restored(options, facts), CrossEntropyLoss(), seen, held_out, best="accuracy", classes=seen.classes, kind="cnn",
                name=f"images in {options.path.name}", facts=facts, summary="two convolutions and two linear layers")


def restored(options: argparse.Namespace, facts: Mapping[str, Any]) -> Module:
    channels, height, width = facts["shape"]
    return convolutional(channels, height, width, len(facts["classes"]), dropout=options.dropout)


def answered(model: Module, options: argparse.Namespace, facts: Mapping[str, Any], asked: argparse.Namespace) -> Answer:
    return pictures.answered(model, asked.data, tuple(facts["shape"]), facts["classes"])
