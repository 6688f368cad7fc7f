"""Targets are what is to be predicted, from the cells of a column: class numbers by name, or numbers."""
from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError

from .files import shown

TASKS = ("auto", "classification", "regression")
MOST_CLASSES = 20  # that whole numbers are taken for
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
Where = Callable[[int], str]


def targets_of(cells: Sequence[Any], task: str, classes: tuple[str, ...] | None, where: Where, dtype: Any) -> tuple[Any, Any]:
    """Targets and names of classes from the cells of the target's column; `where` says where the cell of a row stands.

    Classification gives int64 of shape (rows,), regression `dtype` of shape (rows, 1) and no names. "auto" takes text for
    classes, and whole numbers if they are at most 20 different ones, each twice on average; other numbers are for regression.
    """
    if task not in TASKS:
        raise ArgumentError(f"task={shown(task)}: it is one of {', '.join(TASKS)}.")
    values = typed(cells)
    if task == "auto":
        task = "classification" if classes is not None else guessed(values, where)
    if task == "classification":
        return class_numbers(values, classes, where)
    if classes is not None:
        raise ArgumentError("classes= belongs to classification; a regression has none.")
    return numbers(values, where, dtype), None


def typed(cells: Sequence[Any]) -> list[Any]:
    """Cells that are text as whole numbers, or else as numbers, if all of them are such."""
    if not isinstance(cells[0], str):
        return list(cells)
    for form, kind in ((WHOLE, int), (NUMBER, float)):
        if all(map(form.fullmatch, cells)):
            return [kind(cell) for cell in cells]
    return list(cells)


def guessed(values: list[Any], where: Where) -> str:
    different = len(set(values))
    if isinstance(values[0], str):
        is_number = [NUMBER.fullmatch(v) is not None for v in values]
        rare = 2 * sum(is_number) < len(values)  # is it the numbers that are out of place?
        if any(is_number):
            row, other = is_number.index(rare), is_number.index(not rare)
            raise DataError(f"{where(row)}: {shown(values[row])} is {'a number' if rare else 'text'}, but there is "
                            f"{shown(values[other])} at {where(other)}. Correct it, or say task='classification'.")
        if different > MOST_CLASSES and 2 * different > len(values):
            raise DataError(f"{where(0)}: {shown(values[0])} and {different - 1} others in {len(values)} rows hardly are "
                            "classes. Take another target, or say task='classification'.")
        return "classification"
    few = isinstance(values[0], int) and different <= MOST_CLASSES and 2 * different <= len(values)
    return "classification" if few or isinstance(values[0], bool) else "regression"


def class_numbers(values: Sequence[Any], classes: tuple[str, ...] | None, where: Where) -> tuple[Any, tuple[str, ...]]:
    """The number of each label among the classes (in order, if none are given), and their names. Raises DataError."""
    named = {value: name_of(value) for value in sorted(set(values))}
    known = classes if classes is not None else tuple(dict.fromkeys(named.values()))
    number = {name: k for k, name in enumerate(known)}
    strange = {value for value, name in named.items() if name not in number}
    if strange:
        row = next(i for i, value in enumerate(values) if value in strange)
        some = ", ".join(shown(name) for name in known[:10]) + (", ..." if len(known) > 10 else "")
        raise DataError(f"{where(row)}: {shown(named[values[row]])} is none of the {len(known)} classes {some}. "
                        "Correct the label, or leave the row out.")
    found = {value: number[name] for value, name in named.items()}
    return np.array([found[value] for value in values], np.int64), known


def name_of(value: Any) -> str:
    """The name of a class: 1.0 is 1."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def numbers(values: list[Any], where: Where, dtype: Any) -> Any:
    with np.errstate(over="ignore"):
        found = np.array([v if not isinstance(v, str) else float(v) if NUMBER.fullmatch(v) else math.nan for v in values],
                         np.float64).astype(dtype)
    bad = ~np.isfinite(found)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(f"{where(row)}: {shown(values[row])} is no finite number of {np.dtype(dtype)}. Correct the cell, leave "
                        "the row out, or say task='classification'.")
    return found[:, None]
