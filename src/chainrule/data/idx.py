"""An IDX file is one array behind a short header, the format in which MNIST was published."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from .files import Place, plain, refusing, shown

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx(path: Place, *, limit: int | None = None) -> np.ndarray[Any, Any]:
    """The array in an IDX file, which may be packed by gzip; in the shape and dtype that its header says.

    Raises DataError where header and content do not fit. Format: Y. LeCun et al., "The MNIST database", 1998.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "labels-idx1-ubyte")
    ...     _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     idx(file)
    array([7, 2, 1], dtype=uint8)
    """
    data = plain(path, limit)
    with refusing(path, "IDX file"):
        if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES or data[3] == 0:
            raise ValueError(f"it begins with {data[:4].hex(' ')}")
        dtype, begin = np.dtype(TYPES[data[2]]), 4 + 4 * data[3]
        shape = tuple(int.from_bytes(data[k:k + 4], "big") for k in range(4, begin, 4))
        if math.prod(shape) * dtype.itemsize != len(data) - begin or not math.prod(shape):
            raise ValueError(f"an array of shape {shown(shape)} has not the {max(len(data) - begin, 0)} bytes that are there")
        array = np.frombuffer(data, dtype, offset=begin).reshape(shape)
        return array.astype(dtype.newbyteorder("="), copy=False)
