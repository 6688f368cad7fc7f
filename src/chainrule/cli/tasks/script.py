"""The task of a user's own: a function in a file of Python that returns model, loss and data."""
from __future__ import annotations

import argparse
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.npz import Arrays, npz
from chainrule.data.table import table
from chainrule.errors import ChainruleError, DataError, InputError
from chainrule.nn.module import Module
from chainrule.train.plan import Plan
from chainrule.train.task import Task
from chainrule.train.trainer import predictions

from ..answer import Answer, of_classes

SUMMARY = ("Train a network of your own: FUNCTION in FILE.py is called without arguments and returns (model, loss, data) or "
           "(model, loss, data, held_out), or a chainrule.train.Task. Data are a Dataset, a DataLoader, a pair "
           "of arrays, or batches.")
EXAMPLES = ("chainrule train my_script.py:build --epochs 5",)
DEFAULT = Plan(epochs=10, rate=0.001)
WANTED = "It returns (model, loss, data) or (model, loss, data, held_out), or a chainrule.train.Task."


def configure(add: Any) -> None:
    add("source", metavar="FILE.py:FUNCTION", help="where the function is (default: build)")


def parts(source: str) -> tuple[Path, str]:
    """The file and the name of the function."""
    file, _, function = source.rpartition(":") if not source.endswith(".py") else (source, "", "")
    return Path(file).absolute(), function or "build"


def prepared(options: argparse.Namespace) -> Task:
    file, name = parts(options.source)
    build = function(file, name)
    with blaming(file):
        found = build()
    return task_of(found, f"{file.name}:{name}")


def guard(options: argparse.Namespace) -> Any:
    """A block in which errors of the user's file are told as such."""
    return blaming(parts(options.source)[0])


def function(file: Path, name: str) -> Callable[[], Any]:
    """The function of this name in a file, which is run. Raises InputError."""
    if not file.is_file():
        raise InputError(f"there is no file {file}.")
    sys.path.insert(0, str(file.parent))  # it may import its neighbours
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} is no file of Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)  # dataclasses look for their module
    with blaming(file):
        spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not callable(found):
        raise InputError(f"{file} has no function {name!r}. {WANTED}")
    return found


@contextmanager
def blaming(file: Path) -> Iterator[None]:
    """What a user's file raises inside becomes an InputError that names the line."""
    try:
        yield
    except SyntaxError as error:
        raise InputError(f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
        if not lines:
            raise
        if isinstance(error, OSError) and isinstance(error, ChainruleError):
            raise  # a full disk is nobody's line
        raise InputError(f"{file}:{lines[-1]}: {type(error).__name__}: {error}") from None


def task_of(found: Any, name: str) -> Task:
    """The task in what a function returned. Raises InputError for other things."""
    if isinstance(found, Task):
        return found
    if not isinstance(found, tuple) or len(found) not in (3, 4):
        what = f"a tuple of {len(found)}" if isinstance(found, tuple) else f"{found!r:.60} ({type(found).__name__})"
        raise InputError(f"{name} returned {what}. {WANTED}")
    model, loss, *data = found
    for part, kind, right in (("model", "a chainrule.nn.Module", isinstance(model, Module)),
                              ("loss", "a function of predictions and targets", callable(loss))):
        if not right:
            raise InputError(f"{name}: the {part} is a {type(model if part == 'model' else loss).__name__}, and should be "
                             f"{kind}. {WANTED}")
    classes = getattr(data[0], "classes", None)
    measured = classes is not None or targets_are_classes(data[0])
    return Task(model, loss, *data, name=getattr(data[0], "name", name), classes=classes,
                kind=type(model).__name__, facts={"classes": classes},
                best="accuracy" if measured and len(data) > 1 else "loss")


def targets_are_classes(data: Any) -> bool:
    targets = data[1] if isinstance(data, tuple) and len(data) == 2 else getattr(data, "targets", None)
    return isinstance(targets, np.ndarray) and targets.dtype.kind in "iu" and targets.ndim == 1


def restored(options: argparse.Namespace, facts: Mapping[str, Any]) -> Module:
    return prepared(options).model


def answered(model: Module, options: argparse.Namespace, facts: Mapping[str, Any], asked: argparse.Namespace) -> Answer:
    path = Path(asked.data)
    if path.suffix.lower() == ".npz":
        names = Arrays(path).members
        data = npz(path, "inputs" if "inputs" in names or len(names) != 1 else next(iter(names)), None)
    else:
        data = table(path, None)
    file, _ = parts(options.source)
    with blaming(file):
        scores = predictions(model, data.inputs)
    if scores.shape[:1] != (len(data),):
        raise DataError(f"{path}: for {len(data)} rows the model says something of shape {scores.shape}.")
    classes = facts.get("classes")
    if classes and scores.ndim == 2 and scores.shape[1] == len(classes):
        return of_classes(scores, classes)
    flat = scores.reshape(len(data), -1)
    return Answer(("row", *(f"output {k}" for k in range(flat.shape[1]))), [[i, *row] for i, row in enumerate(flat.tolist())])
