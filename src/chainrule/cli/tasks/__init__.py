"""A task is a word after `chainrule train`: a row of the table below, and a module that declares its options and makes it.

Such a module has

    SUMMARY, EXAMPLES                        what its help says
    DEFAULT                                  a plan, the defaults of the options that all tasks share
    configure(add)                           declares its own options
    prepared(options)                        the `cr.train.Task` that they make
    restored(options, facts)                 the network alone, its weights to be loaded
    guard(options)                           if need be, a block in which errors are told otherwise
    answered(model, options, facts, asked)   what the network says of data it is asked about, an `Answer`
"""
from __future__ import annotations

import importlib
import re
from typing import Any

from chainrule.errors import InputError

TASKS = {
    "digits": "1,797 handwritten digits that come with chainrule",
    "mnist": "images in MNIST's files: --path DIR",
    "text": "the characters of a file, or of Python's own library",
    "table": "a column of a CSV or Parquet file: FILE --target COLUMN",
    "script": "FILE.py:FUNCTION, which returns model, loss and data",
}
SCRIPT = re.compile(r".+\.py(:.*)?", re.DOTALL)


def module_of(task: str) -> Any:
    """The module of a task. Raises InputError for an unknown one."""
    if task not in TASKS:
        raise InputError(f"{task!r:.80} is nothing that can be trained on. There are {', '.join(TASKS)}, and FILE.py:FUNCTION. "
                         "See chainrule train --help.")
    return importlib.import_module(f"{__name__}.{task}")


def named(word: str, rest: list[str]) -> tuple[str, list[str]]:
    """The task that a word means, and its own words: a file of Python is a script."""
    return ("script", [word, *rest]) if word not in TASKS and SCRIPT.fullmatch(word) else (word, rest)
