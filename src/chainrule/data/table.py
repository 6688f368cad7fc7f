"""A table is columns with names, in a CSV or Parquet file; one is the target. Nothing is filled in: a bad cell is named."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError

from .cells import Cells, Pick
from .csv_file import csv_cells
from .dataset import Dataset, floating, names_of
from .files import Place, file_name, named, shown
from .parquet import parquet_cells
from .targets import targets_of

PARQUET = (".parquet", ".pq")


def table(path: Place, target: str | int | None, *, task: str = "auto", columns: Sequence[str | int] | None = None,
          classes: Sequence[object] | None = None, optional: bool = False, header: bool | None = None,
          delimiter: str | None = None, encoding: str = "utf-8", dtype: Any = np.float32, limit: int | None = None) -> Dataset:
    """The data set in a CSV file (also .tsv, and packed as .gz) or Parquet file: a column is the target, the others are inputs.

    path: .parquet and .pq are Parquet, everything else is CSV.
    target: its name, or its place counted from 0, or from the end with -1; None if there is none, and the targets are unknown.
    task: "classification" gives targets (rows,) int64, the numbers of `classes`; "regression" (rows, 1) of `dtype`. "auto" takes
    text for classes, and so whole numbers of at most 20 different values, each twice on average.
    columns: the inputs, in this order; all but the target, if not given. What was learned from one table and is applied to
    another needs `columns=` and `classes=` of the first data set; with `optional` the target may be missing, and then is unknown.
    header: False if the first line holds values, so that the columns are called 0, 1, ...; True if it holds names that look like
    numbers. delimiter: "," or, for .tsv, a tab. limit: see `npz`.

    Raises DataError, which names the file, the line as an editor counts it, the column and the value, for a cell that is empty,
    text, NaN or infinite; a row with more or fewer cells; columns of the same name; a target that is not there; a label that is
    none of `classes`. Raises ArgumentError for other options.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "flowers.csv")
    ...     _ = file.write_text("width,length,kind\\n1,2,lily\\n3,4,rose\\n5,6,rose\\n")
    ...     data = table(file, "kind")
    >>> data.inputs.tolist(), data.targets.tolist(), data.classes, data.columns
    ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0, 1, 1], ('lily', 'rose'), ('width', 'length'))
    """
    def pick(names: Sequence[str]) -> Pick:
        return picked(names, None if optional and target not in names else target, columns, path)

    known, dtype = names_of(classes), floating(dtype)
    cells: Cells = (parquet_cells(path, pick, dtype, limit) if Path(path).suffix.lower() in PARQUET else
                    csv_cells(path, pick, dtype, limit, header=header, delimiter=delimiter, encoding=encoding))
    targets = None
    if cells.target is not None:
        column = cells.names[cells.pick.target or 0]
        targets, known = targets_of(cells.target, task, known, lambda row: f"{cells.where(row)}, column {shown(column)}", dtype)
    chosen = tuple(cells.names[place] for place in cells.pick.inputs)
    return Dataset(cells.inputs, targets, file_name(path), classes=known, columns=chosen)


def picked(names: Sequence[str], target: str | int | None, columns: Sequence[str | int] | None, path: Place) -> Pick:
    """The places of inputs and target among columns of these names."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if not name or name in seen:
            fault = f"is called {shown(name)}, as is column {seen[name] + 1}" if name else "has no name"
            raise DataError(f"{named(path)}, header: column {place + 1} {fault}. Give each column a name of its own.")
        seen[name] = place
    place_of = placing(seen, path)
    goal = None if target is None else place_of(target)
    inputs = [k for k in seen.values() if k != goal] if columns is None else [place_of(column) for column in columns]
    if goal in inputs or len(set(inputs)) < len(inputs):
        raise ArgumentError("columns: each input is named once, and the target is none of them.")
    if not inputs:
        raise DataError(f"{named(path)} has no column of inputs beside the target. Is its delimiter= another one?")
    return Pick(tuple(inputs), goal)


def placing(seen: dict[str, int], path: Place) -> Callable[[str | int], int]:
    def place_of(column: str | int) -> int:
        if column in seen:
            return seen[str(column)]
        if isinstance(column, int) and -len(seen) <= column < len(seen):
            return column % len(seen)
        some = ", ".join(map(shown, list(seen)[:20])) + (", ..." if len(seen) > 20 else "")
        raise DataError(f"{named(path)} has no column {shown(column)}. Its columns are {some}.")
    return place_of
