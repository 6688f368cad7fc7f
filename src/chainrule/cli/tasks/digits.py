"""The task of the handwritten digits: which of ten is this picture of 8 x 8 pixels?"""
from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chainrule.data.digits import digits
from chainrule.errors import InputError
from chainrule.nn.loss import CrossEntropyLoss
from chainrule.nn.module import Module
from chainrule.train.networks import convolutional
from chainrule.train.plan import Plan
from chainrule.train.task import Task

from ..answer import Answer
from . import network, pictures

SUMMARY = ("Train a network on the 1,797 handwritten digits of UCI that come with chainrule: fully connected layers, or "
           "convolutions. A fifth of the digits is held out to test it.")
EXAMPLES = ("chainrule train digits --layers 64,32 --optimizer sgd --nesterov",
            "chainrule train digits --model cnn",
            "chainrule train digits --layers 32,32,32,32,32 --init small    (and he)")
DEFAULT = Plan(epochs=30, rate=0.005, schedule="cosine")
SHAPE, CLASSES = (1, 8, 8), tuple("0123456789")
LAYERS = (128, 64)
OF_LAYERS = ("layers", "activation", "init")


def configure(add: Any) -> None:
    add("--model", choices=("mlp", "cnn"), default="mlp", metavar="NAME", help="mlp or cnn (default: mlp)")
    network.configure(add, LAYERS)


def prepared(options: argparse.Namespace) -> Task:
    data = digits()
    seen, held_out = data.split(seed=options.seed)
    layers = options.model == "mlp"
    return Task(
        restored(options, {}), CrossEntropyLoss(), seen, held_out, best="accuracy", name="digits", classes=CLASSES,
        kind=options.model,
        summary=network.summary(options, LAYERS, 64, 10) if layers else "two convolutions and two linear layers",
        told={"recipe": asdict(network.recipe_of(options, LAYERS))} if layers else {})


def restored(options: argparse.Namespace, facts: Mapping[str, Any]) -> Module:
    if options.model == "mlp":
        return network.made(options, LAYERS, 64, 10)
    given = [name for name in OF_LAYERS if getattr(options, name) is not None]
    if given:
        raise InputError(f"--{given[0]} belongs to the model mlp. Leave it out.")
    return convolutional(*SHAPE, 10, flat=True, dropout=options.dropout)


def answered(model: Module, options: argparse.Namespace, facts: Mapping[str, Any], asked: argparse.Namespace) -> Answer:
    return pictures.answered(model, asked.data, SHAPE, CLASSES, flat=True)
