"""A Parquet file is columns with types; pyarrow reads the ones that are wanted, once their sizes are known to be in bounds."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError

from .cells import Cells, Pick
from .csv_file import LEAVE
from .files import Place, content, must_be_allowed, named, refusing, shown

MAGIC = b"PAR1"
LARGEST_CELL = 8  # bytes, of a number


def parquet_cells(path: Place, pick: Callable[[Sequence[str]], Pick], dtype: Any, limit: int | None) -> Cells:
    """The columns that `pick` wants. Raises DataError, see `table`; ArgumentError without pyarrow."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ArgumentError("a Parquet file needs the library pyarrow: pip install 'chainrule[data]'.") from None
    data = content(path, limit)
    with refusing(path, "Parquet file"):
        if not (data.startswith(MAGIC) and data.endswith(MAGIC)):
            raise ValueError("it does not begin and end with PAR1")
        file = parquet.ParquetFile(pyarrow.BufferReader(data), thrift_string_size_limit=len(data) + 1,
                                   thrift_container_size_limit=len(data) + 1)
        names = [str(name) for name in file.schema_arrow.names]
        picked = pick(names)
        wanted = [names[place] for place in picked.places]
        must_be_allowed(path, unpacked(file.metadata, len(wanted)), len(data), limit)
        read = file.read(columns=wanted, use_threads=False)
        read.validate(full=True)
        if not len(read):
            raise DataError(f"{named(path)} has no rows.")
        columns = {name: Column(read.column(name), name, named(path)) for name in wanted}
        inputs = np.empty((len(read), len(picked.inputs)), dtype)
        for k, place in enumerate(picked.inputs):
            inputs[:, k] = columns[names[place]].numbers(dtype)
        target = None if picked.target is None else columns[names[picked.target]].labels()
    return Cells(names, picked, inputs, target, lambda row: f"{named(path)}, row {row + 1}")


def unpacked(metadata: Any, columns: int) -> int:
    """How many bytes there are in memory, by the metadata: at least a number for each row.

    Asking for the metadata of a column would end the whole process where they are damaged: pyarrow does not catch that.
    """
    claimed = sum(max(metadata.row_group(k).total_byte_size, 0) for k in range(metadata.num_row_groups))
    return int(max(claimed, metadata.num_rows * columns * LARGEST_CELL))


class Column:
    """One column that was read."""

    def __init__(self, cells: Any, name: str, where: str) -> None:
        self.cells, self.name, self.where = cells, name, where
        if cells.null_count:
            row = int(np.argmax(cells.is_null().to_numpy()))
            raise DataError(f"{self.at(row)}: the cell is empty. Fill it in, {LEAVE}.")

    def at(self, row: int) -> str:
        return f"{self.where}, row {row + 1}, column {shown(self.name)}"

    def numbers(self, dtype: np.dtype[Any]) -> Any:
        """The cells as finite numbers."""
        found = self.cells.to_numpy()
        if found.dtype.kind not in "iufb":
            raise DataError(f"{self.at(0)}: {shown(self.cells[0].as_py())} is {self.cells.type}, no number. Convert it, {LEAVE}.")
        with np.errstate(over="ignore"):
            converted = found.astype(dtype)
        finite = np.isfinite(converted)
        if not finite.all():
            row = int(np.argmin(finite))
            raise DataError(f"{self.at(row)}: {found[row]} is no finite number of {dtype}. Correct it, {LEAVE}.")
        return converted

    def labels(self) -> Any:
        """The cells as whole numbers, numbers or text."""
        found = self.cells.to_pylist()
        if not isinstance(found[0], bool | int | float | str):
            raise DataError(f"{self.at(0)}: {shown(found[0])} is {self.cells.type}, neither a number nor text. Convert it.")
        wrong = [row for row, cell in enumerate(found) if cell == "" or cell != cell]
        if wrong:
            raise DataError(f"{self.at(wrong[0])}: {shown(found[wrong[0]])} is no label. Correct it, or leave out the row.")
        return found
