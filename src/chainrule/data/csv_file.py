"""A CSV file is lines of cells; they are converted in blocks, and looked at one by one only where that fails."""
from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError

from .cells import Cells, Pick
from .files import Place, named, plain, shown, text_of
from .targets import NUMBER

BLOCK = 512  # rows: their cells stay in the cache until they are numbers
MISSING = {"", "nan", "NaN", "NAN"}  # cells that are no label
Row = tuple[int, list[str]]  # with the number of its first line
LEAVE = "or leave out the row, or the column (columns=)"


def csv_cells(path: Place, pick: Callable[[Sequence[str]], Pick], dtype: Any, limit: int | None, *, header: bool | None,
              delimiter: str | None, encoding: str) -> Cells:
    """The columns that `pick` wants, by the names in the header. Raises DataError and ArgumentError, see `table`."""
    where = named(path)
    if delimiter is None:
        delimiter = "\t" if where.removesuffix(".gz").endswith((".tsv", ".tab")) else ","
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise ArgumentError(f"delimiter={shown(delimiter)}: it is one character between cells, such as ',' or ';'.")
    text = text_of(plain(path, limit), path, encoding)
    rows = rows_of(text, delimiter, where)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{where} holds nothing but empty lines.")
    names = header_of(first, header, delimiter, where)
    if header is False:
        rows = chained(first, rows)
    block = Block(names, pick(names), dtype, where, odd="_" in text or not text.isascii())
    inputs, target, lines = [], [], array("q")
    while some := list(islice(rows, BLOCK)):
        numbers, labels = block.converted(some)
        inputs.append(numbers)
        target += labels
        lines.extend(line for line, _ in some)
    if not lines:
        raise DataError(f"{where} has a header and no rows.")
    return Cells(names, block.pick, np.concatenate(inputs), target if block.pick.target is not None else None,
                 lambda row: f"{where}, line {lines[row]}")


def rows_of(text: str, delimiter: str, where: str) -> Iterator[Row]:
    """The rows of the text; empty lines may stand at its end alone."""
    lines = io.TextIOWrapper(io.BytesIO(text.encode("utf-8", "surrogatepass")), "utf-8", "surrogatepass", newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    end, blank = 0, 0
    try:
        for cells in reader:
            start, end = end + 1, reader.line_num
            if not cells:
                blank = blank or start
                continue
            if blank:
                raise DataError(f"{where}, line {blank} is empty. Remove it.")
            yield start, cells
    except csv.Error as error:
        raise DataError(f"{where}, line {end + 1}: {error}. Quotes stand around a whole cell, and are doubled inside.") from None


def chained(first: Row, rows: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def header_of(first: Row, header: bool | None, delimiter: str, where: str) -> list[str]:
    """The names of the columns, from the first row."""
    line, cells = first
    if header is False:
        return [str(place) for place in range(len(cells))]
    names = [cell.strip() for cell in cells]
    if header is None and all(map(NUMBER.fullmatch, names)):
        raise DataError(f"{where}, line {line}: there are numbers where the names of the columns should be. Give them names, or "
                        "say header=False (or header=True, if these are the names).")
    others = [other for other in ",;\t|" if other != delimiter and other in cells[0]]
    if len(names) == 1 and others:
        raise DataError(f"{where}, line {line}: there is one column, {shown(names[0])}. Is it delimiter={others[0]!r}?")
    return names


class Block:
    """Rows on their way to numbers."""

    def __init__(self, names: list[str], pick: Pick, dtype: np.dtype[Any], where: str, odd: bool) -> None:
        self.names, self.pick, self.dtype, self.where = names, pick, dtype, where
        self.odd = odd  # Python reads 1_000 and Arabic digits as numbers; a table means something else by them

    def converted(self, rows: list[Row]) -> tuple[np.ndarray[Any, Any], list[str]]:
        """The inputs in these rows, and the cells of the target."""
        cells = [row for _, row in rows]
        if {len(row) for row in cells} != {len(self.names)}:
            self.complain(rows)
        columns = list(zip(*cells))
        if self.odd and any(self.strange("".join(columns[place])) for place in self.pick.inputs):
            self.complain(rows)
        numbers = np.empty((len(rows), len(self.pick.inputs)), self.dtype)
        try:
            with np.errstate(over="ignore"):
                for k, place in enumerate(self.pick.inputs):
                    numbers[:, k] = np.fromiter(map(float, columns[place]), np.float64, len(rows))
        except ValueError:
            self.complain(rows)
        labels = [] if self.pick.target is None else list(map(str.strip, columns[self.pick.target]))
        if not np.isfinite(numbers).all() or not MISSING.isdisjoint(labels):
            self.complain(rows)
        return numbers, labels

    @staticmethod
    def strange(cell: str) -> bool:
        return "_" in cell or not cell.isascii()

    def complain(self, rows: list[Row]) -> None:
        """Raises DataError about the first cell that is wrong, in the order of reading; none, if there is none."""
        for line, row in rows:
            here = f"{self.where}, line {line}"
            if len(row) != len(self.names):
                raise DataError(f"{here} has {len(row)} cells, but there are {len(self.names)} columns. Correct the line.")
            for place in self.pick.places:
                fault = self.fault(row[place].strip(), place == self.pick.target)
                if fault:
                    raise DataError(f"{here}, column {shown(self.names[place])}: {fault}.")

    def fault(self, cell: str, is_target: bool) -> str:
        if not cell:
            return f"the cell is empty. Fill it in, {LEAVE}"
        if is_target:
            return f"{shown(cell)} is no label. Correct it, or leave out the row" if cell in MISSING else ""
        try:
            number = float("" if self.strange(cell) else cell)
        except ValueError:
            return f"{shown(cell)} is text, not a number. Correct it, {LEAVE}"
        with np.errstate(over="ignore"):
            finite = np.isfinite(np.float64(number).astype(self.dtype))
        return "" if finite else f"{shown(cell)} is no finite number of {self.dtype}. Correct it, {LEAVE}"
