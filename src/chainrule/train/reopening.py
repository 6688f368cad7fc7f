"""A saved run is a network as its training left it in a folder, opened again in float64, beside the data it was trained on."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.digits import digits
from chainrule.eager import EAGER
from chainrule.errors import DataError, InputError
from chainrule.explanation.record.record import Record
from chainrule.explanation.record.recorded import names_by_id
from chainrule.explanation.story import Explanation, explained
from chainrule.nn.container import Sequential
from chainrule.nn.loss import CrossEntropyLoss
from chainrule.random import Generator
from chainrule.tensor import tensor

from .files import LARGEST_JSON, json_value, read_whole
from .recipe import ACTIVATIONS, INITS, Recipe
from .weights import read_weights

DATASETS = {"digits": digits}
METRICS, WEIGHTS = "metrics.json", "weights.safetensors"


def whole(least: int) -> Callable[[Any], bool]:
    return lambda x: type(x) is int and x >= least


SOUND: dict[str, Callable[[Any], bool]] = {  # of a recipe, what a network and its data depend on
    "layers": lambda x: isinstance(x, list) and all(map(whole(1), x)),
    "activation": lambda x: isinstance(x, str) and x in ACTIVATIONS,
    "init": lambda x: isinstance(x, str) and x in INITS,
    "batch": whole(1),
    "seed": whole(0),
}


@dataclass(frozen=True)
class SavedRun:
    """A trained network, and its data split as they were in training.

    >>> import subprocess, sys, tempfile
    >>> from chainrule.train.reopening import reopened
    >>> folder = tempfile.TemporaryDirectory()
    >>> command = ["train", "digits", "--layers", "8", "--epochs", "1", "--out", folder.name]
    >>> done = subprocess.run([sys.executable, "-m", "chainrule", *command], capture_output=True, check=True)
    >>> run = reopened(folder.name)
    >>> e = run.explain(rows=[0, 1, 2])
    >>> len(e.element("fc2.bias", 7).terms)
    3
    >>> folder.cleanup()
    """

    folder: Path
    recipe: Recipe
    seen: Dataset
    held_out: Dataset
    model: Sequential

    def rows(self, rows: Sequence[int] | None = None, *, held_out: bool = False) -> Dataset:
        """The rows with these numbers of the training part, or of the one held out; without numbers, the first batch.

        Raises InputError for rows that are not there.
        """
        part, name = (self.held_out, "held-out") if held_out else (self.seen, "training")
        chosen = np.arange(min(self.recipe.batch, len(part))) if rows is None else np.array(rows, np.int64)
        if not chosen.size:
            raise InputError("rows: none are chosen, and a loss needs at least one.")
        for row in chosen:
            if not 0 <= row < len(part):
                raise InputError(f"rows: there is no row {row} in the {name} part, which has the rows 0 to {len(part) - 1}.")
        return part.rows(chosen)

    def explain(self, rows: Sequence[int] | None = None, *, held_out: bool = False, wrt: Sequence[str] | None = None,
                open: bool = False) -> Explanation:
        """How the gradients of the loss over some rows came to be: see `rows` and `cr.explain`.

        Values are called x, z1, a1, z2, ... from the data up, and labels; `wrt` are names of parameters or of values. Raises
        InputError.
        """
        data = self.rows(rows, held_out=held_out)
        value = tensor(data.inputs.astype(np.float64), name="x")
        values: dict[str, Any] = {}
        sources: dict[int, str] = {}
        for name, layer in self.model.named_children():
            value = values[name.replace("fc", "z").replace("act", "a")] = layer(value)
            sources[id(value)] = name
        loss = CrossEntropyLoss()(value, tensor(data.targets, name="labels"))
        sources = {id(x): "loss" for x in EAGER.history(loss) if x.prim} | sources  # no line of a user's computed them
        known = dict(self.model.named_parameters()) | values
        unknown = [name for name in wrt or () if name not in known]
        if unknown:
            raise InputError(f"wrt: nothing in this network is called {unknown[0]!r:.40}; there are {', '.join(known)}.")
        wanted = None if wrt is None else [known[name] for name in dict.fromkeys(wrt)]
        given = names_by_id({**values, **dict(self.model.named_children())})
        e = explained(Record(loss, wanted, given, sources=sources))
        return e.open() if open else e


def reopened(folder: str | Path) -> SavedRun:
    """What `chainrule train` left in a folder. Raises DataError for a folder that holds no whole run, StorageError."""
    folder = Path(folder)
    for name in (METRICS, WEIGHTS):
        if not (folder / name).is_file():
            raise DataError(f"{folder} is not a folder that `chainrule train` wrote: it has no file {name}.")
    metrics = read_metrics(folder / METRICS)
    recipe, data = recipe_of(metrics, folder), data_of(metrics, folder)
    seen, held_out = data.split(seed=recipe.seed)
    kept = {"train": len(seen), "held_out": len(held_out)}
    if {key: metrics["data"].get(key) for key in kept} != kept:
        raise DataError(f"{folder / METRICS}: the run was trained on other {data.name} than these, {kept['train']} to train on "
                        f"and {kept['held_out']} held out.")
    sizes = (data.inputs.shape[1], *recipe.layers, int(data.targets.max()) + 1)
    state = named_by_layer(read_weights(folder / WEIGHTS))
    must_fit(state, sizes, folder)
    model = recipe.model(sizes[0], sizes[-1], Generator(0), dtype="float64")
    model.load_state_dict(state)
    return SavedRun(folder, recipe, seen, held_out, model.eval())


def read_metrics(path: Path) -> dict[str, Any]:
    """The metrics of a run, with a recipe and counts of data."""
    metrics = json_value(read_whole(path, LARGEST_JSON), path)
    if not isinstance(metrics, dict) or not all(isinstance(metrics.get(key), dict) for key in ("recipe", "data")):
        raise DataError(f"{path} does not hold the metrics of a run: it has no recipe and no data.")
    return metrics


def recipe_of(metrics: Mapping[str, Any], folder: Path) -> Recipe:
    given = metrics["recipe"]
    for name, sound in SOUND.items():
        if name not in given or not sound(given[name]):
            raise DataError(f"{folder / METRICS}: in the recipe, {name} is {given.get(name)!r:.40}, which no run has.")
    unknown = set(given) - set(Recipe.__dataclass_fields__)
    if unknown:
        raise DataError(f"{folder / METRICS}: this chainrule knows no {', '.join(sorted(unknown)):.60} in a recipe.")
    return Recipe(**{**given, "layers": tuple(given["layers"])})


def data_of(metrics: Mapping[str, Any], folder: Path) -> Dataset:
    name = metrics["data"].get("name", "digits")  # runs before there was a name were on digits
    if not isinstance(name, str) or name not in DATASETS:
        raise DataError(f"{folder / METRICS}: no data are called {name!r:.40}; there are {', '.join(DATASETS)}.")
    return DATASETS[name]()


def named_by_layer(state: Mapping[str, Any]) -> dict[str, Any]:
    """The weights under the names of today: of older runs, layer 2 is the second of weights, fc2."""
    split = {name: name.partition(".") for name in state}
    if not all(number.isdecimal() and len(number) < 9 for number, _, _ in split.values()):
        return dict(state)
    return {f"fc{int(number) // 2 + 1}.{rest}": state[name] for name, (number, _, rest) in split.items()}


def must_fit(state: Mapping[str, Any], sizes: Sequence[int], folder: Path) -> None:
    """Raise the error for weights of another network than the recipe's; before it is built, for it may be of any size."""
    wanted = {}
    for k, (size, following) in enumerate(pairwise(sizes), 1):
        wanted |= {f"fc{k}.weight": (following, size), f"fc{k}.bias": (following,)}
    given = {name: np.shape(array) for name, array in state.items()}
    if given != wanted:
        odd = next(name for name in (*wanted, *given) if given.get(name) != wanted.get(name))
        network = "-".join(map(str, sizes))
        raise DataError(f"{folder / WEIGHTS} does not fit the network {network:.60} of {METRICS}: {odd:.40} has shape "
                        f"{given.get(odd, 'none')}, and should have {wanted.get(odd, 'none')}.")
    if any(np.asarray(array).dtype.kind != "f" for array in state.values()):
        raise DataError(f"{folder / WEIGHTS} holds numbers that are no floating-point numbers.")
