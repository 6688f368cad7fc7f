"""Options of networks of fully connected layers, which several tasks have."""
from __future__ import annotations

import argparse
from typing import Any

from chainrule.nn.module import Module
from chainrule.random import Generator
from chainrule.train.recipe import ACTIVATIONS, INITS, Recipe

from .. import values


def configure(add: Any, layers: tuple[int, ...]) -> None:
    """Declare them."""
    add("--layers", type=values.sizes, metavar=values.typed(layers),
        help=f"sizes of the hidden layers (default: {values.typed(layers)}); none for no hidden layer")
    add("--activation", choices=ACTIVATIONS, metavar="NAME", help=f"{', '.join(ACTIVATIONS)} (default: relu)")
    add("--init", choices=INITS, metavar="NAME",
        help=f"how the weights start: {', '.join(INITS)} (default: he, or glorot for tanh and sigmoid; small shows why)")
    configure_dropout(add)


def configure_dropout(add: Any, default: float = 0.0) -> None:
    add("--dropout", type=values.share, default=default, metavar="P",
        help=f"drop values with this chance while learning (default: {default:g})")


def recipe_of(options: argparse.Namespace, layers: tuple[int, ...]) -> Recipe:
    """How the layers are made, and trained; `layers` are their sizes where none are asked for."""
    chosen = {name: getattr(options, name) for name in Recipe.__dataclass_fields__}
    return Recipe(**{"layers": layers, **{name: value for name, value in chosen.items() if value is not None}}).complete()


def made(options: argparse.Namespace, layers: tuple[int, ...], inputs: int, outputs: int) -> Module:
    return recipe_of(options, layers).model(inputs, outputs, Generator(options.seed), dropout=options.dropout)


def summary(options: argparse.Namespace, layers: tuple[int, ...], inputs: int, outputs: int) -> str:
    """The network in a few words."""
    recipe = recipe_of(options, layers)
    return f"{'-'.join(map(str, (inputs, *recipe.layers, outputs)))}, {recipe.activation}, {recipe.init} start"
