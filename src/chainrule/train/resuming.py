"""Resuming puts a training back to where a checkpoint was taken, to the last bit of its random states."""
from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import random
from chainrule.errors import ChainruleError, CheckpointWarning, DataError, DivergenceError
from chainrule.nn.module import Module
from chainrule.random import Generator, Source

from .checkpoint import NAME, checkpoints_in, name_of, newest, write_checkpoint
from .events import Listener, Place
from .files import versions

if TYPE_CHECKING:
    from .trainer import Trainer

KINDS = {"step": int, "epoch": int, "batches": int, "total": float}  # of a place


def named_listeners(listeners: Iterable[Listener]) -> Iterator[tuple[str, Listener]]:
    """Each listener by the name of its class, with a number from the second of a kind on."""
    seen: dict[str, int] = {}
    for listener in listeners:
        name = type(listener).__name__
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name} {seen[name]}"), listener


def generators(trainer: Trainer) -> Iterator[tuple[str, Source]]:
    """Every stream of random numbers that the training draws from, the data's order aside, by name."""
    yield "common", random.common.source
    for root, module in (("model", trainer.model), ("loss", trainer.loss)):
        for name, part in module.named_modules(root) if isinstance(module, Module) else ():
            for attribute, value in vars(part).items():
                if isinstance(value, Generator | Source):
                    yield f"{name}.{attribute}", random.source_of(value)


def random_states(trainer: Trainer) -> dict[str, Any]:
    return {name: source.bit_generator.state for name, source in generators(trainer)}


def set_random_states(trainer: Trainer, states: dict[str, Any]) -> None:
    for name, source in generators(trainer):
        if name in states:
            source.bit_generator.state = states[name]


# ---------------------------------------------------------------------------------------- to and from a folder
def save(trainer: Trainer, folder: Path) -> Path:
    """Write a checkpoint of the training as it stands. Raises DivergenceError, StorageError."""
    weights = trainer.model.state_dict()
    place = trainer.place
    odd = [name for name, _ in trainer.model.named_parameters() if not np.isfinite(weights[name]).all()]
    if odd:
        raise DivergenceError(f"after step {place.step}, {odd[0]} holds numbers that are not finite, and a checkpoint of that "
                              "would be of no use: the steps are too large. Go on from the last checkpoint with a smaller rate.")
    trainer.tell("flush")
    path = folder / name_of(place.epoch, place.step)
    write_checkpoint(path, {
        "versions": versions(),
        "place": asdict(place),
        "optimizer": {"kind": type(trainer.optimizer).__name__, "state": trainer.optimizer.state_dict()},
        "data": trainer.batches.state_dict() if trainer.batches is not None else None,
        "carried": trainer.carried,
        "random": random_states(trainer),
        "listeners": {name: state for name, listener in named_listeners(trainer.listeners) if (state := listener.state_dict())},
    }, weights)
    return path


def resume(trainer: Trainer, folder: Path) -> Path:
    """Put the training back to where a checkpoint was taken. Raises DataError, StorageError, ArgumentError."""
    candidates = [folder] if NAME.fullmatch(folder.name) else checkpoints_in(folder)[::-1]
    if not candidates:
        raise DataError(f"{folder} holds no checkpoint to go on from.")
    path, (state, weights), wrong = newest(candidates)
    for what in wrong:
        warnings.warn(f"{what} Training goes on from the checkpoint before it, {path.name}.", CheckpointWarning, stacklevel=3)
    try:
        restore(trainer, state, weights)
    except ChainruleError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise DataError(f"{path} does not hold the state of a training: {type(error).__name__}: {error!s:.80}") from None
    return path


def restore(trainer: Trainer, state: dict[str, Any], weights: dict[str, Any]) -> None:
    kind, optimizer = state["optimizer"]["kind"], type(trainer.optimizer).__name__
    if kind != optimizer:
        raise DataError(f"the checkpoint is of a training with {kind}, and this one has {optimizer}. Go on with the "
                        "same optimizer.")
    trainer.model.load_state_dict(weights)
    trainer.optimizer.load_state_dict(state["optimizer"]["state"])
    for group in trainer.optimizer.param_groups:
        trainer.optimizer.check(**{name: option for name, option in group.items() if name != "params"})
    trainer.place = Place(**{name: kind(state["place"][name]) for name, kind in KINDS.items()})
    trainer.carried = state["carried"]
    for name, listener in named_listeners(trainer.listeners):
        if name in state["listeners"]:
            listener.load_state_dict(state["listeners"][name])
    set_random_states(trainer, state["random"])
    trainer.pending = {"data": state["data"], "random": state["random"]}
