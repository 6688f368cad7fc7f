"""The options that all trainings share are declared here once; each task has defaults of its own for them."""
from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from chainrule.errors import DataError, InputError
from chainrule.train.plan import OPTIMIZERS, SCHEDULES, Plan

from . import values

HERE = ("out", "resume", "no_progress", "quiet")  # options of one call, not of the run
Add = Any
"""What declares an option: argparse's add_argument."""


def configure(parser: argparse.ArgumentParser, default: Plan, folder: str) -> None:
    """Declare the options, with a task's plan as their defaults."""
    length = parser.add_argument_group("how long").add_argument
    length("--epochs", type=values.count, default=default.epochs, metavar="N",
           help=f"passes over the data (default: {default.epochs})")
    length("--steps", type=values.count, metavar="N", help="so many batches instead")
    length("--batch", type=values.count, default=default.batch, metavar="N", help=f"examples per step (default: {default.batch})")
    length("--early-stopping", type=values.count, metavar="N",
           help="stop when N passes brought nothing better, and take the best weights")
    moving(parser.add_argument_group("how").add_argument, default)
    keeping(parser.add_argument_group("what is kept and shown").add_argument, folder)


def moving(add: Add, default: Plan) -> None:
    """Declare how the parameters are moved."""
    chosen = default.complete()
    add("--optimizer", choices=OPTIMIZERS, default=default.optimizer, metavar="NAME",
        help=f"{', '.join(OPTIMIZERS)} (default: {default.optimizer})")
    add("--rate", type=values.positive, metavar="R",
        help=f"learning rate (default: {chosen.rate:g}; with another optimizer, what usually suits it)")
    add("--momentum", type=values.share, metavar="0.9", help="of sgd (default: 0.9) and rmsprop")
    add("--nesterov", action="store_true", help="let sgd look ahead along its momentum")
    add("--weight-decay", type=values.weight, default=default.weight_decay, metavar="W",
        help=f"pull weights to 0 (default: {default.weight_decay:g})")
    add("--schedule", choices=SCHEDULES, default=default.schedule, metavar="NAME",
        help=f"of the rate: {', '.join(SCHEDULES)} (default: {default.schedule})")
    add("--warmup", type=values.seed, default=default.warmup, metavar="N",
        help=f"let the rate rise over the first N steps (default: {default.warmup})")
    add("--clip", type=values.positive, default=default.clip, metavar="NORM",
        help=f"scale gradients down to this norm (default: {'none' if default.clip is None else f'{default.clip:g}'})")
    add("--seed", type=values.seed, default=default.seed, metavar="N", help="decides split, weights and order (default: 0)")
    add("--eager", action="store_true", help="do not compile the training step")


def keeping(add: Add, folder: str) -> None:
    """Declare what is written and printed."""
    add("--out", type=Path, metavar="DIR", help=f"folder of the run (default: runs/{folder}, or that with a number)")
    add("--resume", action="store_true", help="go on with the run in the folder")
    add("--checkpoint-every", type=values.count, metavar="N", help="a checkpoint every N steps (default: every 10 seconds)")
    add("--tensorboard", action="store_true", help="write event files for TensorBoard, too")
    shown(add)


def shown(add: Add) -> None:
    """Declare what is printed."""
    add("--no-progress", action="store_true", help="no progress bar")
    add("--quiet", action="store_true", help="only the last line")


def plan_of(options: argparse.Namespace, default: Plan) -> Plan:
    """The plan that the options make. Raises ArgumentError where they do not go together."""
    chosen = {field.name: getattr(options, field.name) for field in fields(Plan)}
    if chosen["rate"] is None and chosen["optimizer"] == default.optimizer:
        chosen["rate"] = default.rate
    return Plan(**chosen).complete()


# ---------------------------------------------------------------------------------------- written down, and read again
def kept(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict[str, Any]:
    """The options of a run as JSON: each as it would be typed, switches as true, files by their whole path."""
    found: dict[str, Any] = {}
    for action in declared(parser):
        value = getattr(options, action.dest)
        if value is None or value is False:
            continue
        found[action.dest] = True if value is True else values.typed(value.absolute() if isinstance(value, Path) else value)
    return found


def declared(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.dest not in ("help", *HERE)]


def read_again(parser: argparse.ArgumentParser, given: Mapping[str, Any], where: object) -> argparse.Namespace:
    """The options from what `kept` gave, as if they were typed. Raises DataError, which names `where`, for others."""
    named = {action.dest: action for action in declared(parser)}
    words: list[str] = []
    last: list[str] = []
    for name, value in given.items():
        if name not in named or not (value is True or isinstance(value, str)):
            raise DataError(f"{where}: there is no option {name!r:.40} that is {value!r:.40}.")
        option = named[name].option_strings
        if not option:
            last.append(str(value))
        else:
            words.append(option[0] if value is True else f"{option[0]}={value}")
    try:
        return parser.parse_args([*words, "--", *last] if last else words)
    except InputError as error:
        raise DataError(f"{where}: {error}") from None


def difference(given: Mapping[str, Any], begun: Mapping[str, Any]) -> str | None:
    """The first option that is not what the run was begun with, in words."""
    for name in dict.fromkeys([*given, *begun]):
        if given.get(name) != begun.get(name):
            return f"{name.replace('_', '-')} was {said(begun.get(name))}, and is {said(given.get(name))} now"
    return None


def said(value: Any) -> str:
    return "not given" if value is None else "given" if value is True else str(value)
