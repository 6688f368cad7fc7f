"""An .npz file is arrays by name, as NumPy saves them; of what its headers claim nothing is believed before it is there."""
from __future__ import annotations

import io
import math
import re
import zipfile
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import DataError

from .dataset import Dataset, floating, names_of
from .files import Place, content, file_name, must_be_allowed, named, refusing, shown
from .targets import class_numbers

MAGIC = b"\x93NUMPY"
FIELDS = {name: re.compile(rf"['\"]{name}['\"]\s*:\s*{value}") for name, value in (
    ("descr", r"['\"]([^'\"]*)['\"]"), ("fortran_order", "(True|False)"), ("shape", r"\(([\d,\s]*)\)"))}
NUMBERS = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|U\d{1,6})")


def npz(path: Place, inputs: str = "inputs", targets: str | None = "targets", *, classes: Any = None, dtype: Any = np.float32,
        limit: int | None = None) -> Dataset:
    """The data set in two arrays of an .npz file, named `inputs` and `targets`; targets None leaves them unknown.

    Inputs become `dtype`; targets that are whole numbers int64, text class numbers by name, others `dtype`. `classes` are the
    names of the classes, so that labels out of their range are found. The file may unpack to 64 MiB, to 64 times its size, or to
    `limit` bytes. Objects are refused: they would need pickle, which runs what a file says. Raises DataError.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "points.npz")
    ...     np.savez(file, x=np.eye(3), y=["red", "blue", "red"])
    ...     data = npz(file, "x", "y")
    >>> data.targets.tolist(), data.classes
    ([1, 0, 1], ('blue', 'red'))
    """
    dtype = floating(dtype)
    arrays = Arrays(path, limit)
    name, known = file_name(path), names_of(classes)
    x = arrays.read(inputs)
    if x.dtype.kind == "U":
        raise DataError(f"{named(path)}: array {shown(inputs)} holds text, and inputs are numbers.")
    y = None if targets is None else arrays.read(targets)
    if y is not None and len(x) != len(y):
        raise DataError(f"{named(path)}: array {shown(inputs)} has {len(x)} rows, {shown(targets)} {len(y)}. Save both whole.")
    if y is not None and y.dtype.kind == "U":
        if y.ndim != 1:
            raise DataError(f"{named(path)}: array {shown(targets)} has shape {y.shape}; labels in text have one axis.")
        y, known = class_numbers(y.tolist(), known, lambda row: f"{named(path)}: {targets}[{row}]")
    elif y is not None:
        y = y.astype(dtype if y.dtype.kind == "f" else np.int64)
    with np.errstate(over="ignore"):  # what is too large for dtype is infinite, and named
        return Dataset(x.astype(dtype), y, name, classes=known).checked()


class Member(NamedTuple):
    """An array inside the file: where it is, and how large it claims to be."""

    info: zipfile.ZipInfo
    size: int


class Arrays:
    """The arrays of an .npz file by name; each is read when it is asked for."""

    def __init__(self, path: Place, limit: int | None = None) -> None:
        self.path, self.limit = path, limit
        self.data = content(path, limit)
        with refusing(path, ".npz file"), zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            infos = archive.infolist()
        self.members: dict[str, Member] = {}
        for info in infos:
            name = info.filename.removesuffix(".npy")
            parts = re.split(r"[/\\]", name)
            if name == info.filename or not all(parts) or ".." in parts or ":" in name or name in self.members:
                raise DataError(f"{named(path)} is no .npz file of NumPy: it holds {shown(info.filename)}, which is no name of "
                                "an array, or is there twice. Save it again with numpy.savez.")
            self.members[name] = Member(info, info.file_size)

    def read(self, name: str) -> np.ndarray[Any, Any]:
        """One array with rows. Raises DataError where it is not there or not whole, and for objects."""
        if name not in self.members:
            held = ", ".join(map(shown, list(self.members)[:10])) or "none"
            raise DataError(f"{named(self.path)} holds no array {shown(name)}; it holds {held}. Say which: inputs=, targets=.")
        member = self.members[name]
        must_be_allowed(self.path, member.size, len(self.data), self.limit)
        with (refusing(self.path, ".npz file"), zipfile.ZipFile(io.BytesIO(self.data)) as archive,
              archive.open(member.info) as file):
            array = array_in(file.read(member.size + 1), f"{named(self.path)}: array {shown(name)}")
        if array.ndim == 0 or array.size == 0:
            raise DataError(f"{named(self.path)}: array {shown(name)} has shape {array.shape}, so it holds no rows.")
        return array


def array_in(data: bytes, where: str) -> np.ndarray[Any, Any]:
    """The array in the bytes of an .npy file. Raises DataError for objects, ValueError where header and content differ."""
    wide = data[6:7] != b"\x01"
    start = 12 if wide else 10
    if not data.startswith(MAGIC) or data[6:7] not in (b"\x01", b"\x02", b"\x03"):
        raise ValueError("there is no array in it")
    begin = start + int.from_bytes(data[8:start], "little")
    header = data[start:min(begin, start + 10_000)].decode("latin-1")
    descr, order, shape = (found[1] if (found := field.search(header)) else "" for field in FIELDS.values())
    if "O" in descr:
        raise DataError(f"{where} holds Python objects, and to read them would run what the file says. Save numbers or text.")
    sizes = tuple(int(n[:20]) for n in shape.split(",") if n.strip())
    if not NUMBERS.fullmatch(descr) or not order:
        raise ValueError(f"its header is damaged, or numbers of type {shown(descr or '?')} are not known")
    dtype = np.dtype(descr)
    if math.prod(sizes) * dtype.itemsize != len(data) - begin:
        raise ValueError(f"an array of shape {shown(sizes)} would not have the {len(data) - begin} bytes that are there")
    return np.frombuffer(data, dtype, offset=begin).reshape(sizes, order="F" if order == "True" else "C")
