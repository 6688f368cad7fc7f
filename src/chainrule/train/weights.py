"""Weights are arrays by name in a safetensors file: a header that says what is where, and the bytes behind it.

The format: https://github.com/huggingface/safetensors. The header is checked against the size of the file before anything is made
of it, so that a file that lies costs no more memory than it has bytes.
"""
from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import DataError, DTypeError
from chainrule.nn.module import Module

from .files import LARGEST_JSON, json_object, naming, read_whole, write_safely

Arrays = dict[str, np.ndarray[Any, Any]]

DTYPES = {"BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8", "I64": "<i8",
          "F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}
MOST_AXES = 32


def save_weights(path: str | Path, module: Module, metadata: Mapping[str, str] | None = None) -> None:
    """Save all parameters and buffers of a module as a safetensors file, under their dotted names. Raises StorageError."""
    write_safely(Path(path), weights_bytes(module.state_dict(), metadata))


def weights_bytes(arrays: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str] | None = None) -> bytes:
    """The safetensors file of these arrays. Raises DTypeError for arrays of other things than numbers."""
    from safetensors.numpy import save  # `import chainrule` needs NumPy alone
    odd = [name for name, array in arrays.items() if array.dtype.newbyteorder("<").str.lstrip("<|=") not in KINDS]
    if odd:
        raise DTypeError(f"{odd[0]} holds {arrays[odd[0]].dtype}, and only arrays of numbers can be saved.")
    return save({name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()},
                dict(metadata) if metadata else None)  # of empty metadata and no arrays it makes a file that nobody can read


KINDS = {np.dtype(code).str.lstrip("<|=") for code in DTYPES.values()}


def load_weights(path: str | Path, module: Module) -> None:
    """Load what `save_weights`, or PyTorch by way of safetensors, saved.

    Raises DataError for a file that is not whole, ArgumentError where it does not fit, StorageError.
    """
    module.load_state_dict(read_weights(path))


def read_weights(path: str | Path) -> Arrays:
    """The arrays of a safetensors file by name. Raises DataError for a file that is not whole, StorageError."""
    path = Path(path)
    header = read_header(path)
    content = read_whole(path)
    return {name: array_at(content, entry) for name, entry in header.items()}


def read_header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file, checked: [dtype, shape, begin, end] of each array, its bytes in the file."""
    with naming(path), open(path, "rb") as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, LARGEST_JSON):
            raise broken(path, f"a header of {length} bytes does not fit in its {size}")
        header = json_object(file.read(length), path)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise broken(path, "its metadata are not texts by name")
    entries = {name: checked(path, name, entry, 8 + length) for name, entry in header.items()}
    place = 8 + length
    for _, _, begin, end in sorted(entries.values(), key=lambda entry: entry[2:]):
        if begin != place:
            raise broken(path, f"its arrays overlap, or leave a hole, at byte {place}")
        place = end
    if place != size:
        raise broken(path, f"its arrays end at byte {place}, and the file at byte {size}")
    return entries


def checked(path: Path, name: str, entry: Any, start: int) -> tuple[str, list[int], int, int]:
    """One entry of a header, if it says something that can be."""
    sound = isinstance(entry, dict) and entry.keys() == {"dtype", "shape", "data_offsets"}
    if not sound or not whole_numbers(entry["shape"], MOST_AXES) or not whole_numbers(entry["data_offsets"], 2, 2):
        raise broken(path, f"its header says nothing sound of {name!r:.40}")
    kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in DTYPES:
        raise broken(path, f"{name!r:.40} has the dtype {kind!r:.20}, which NumPy does not have")
    size = math.prod(shape) * np.dtype(DTYPES[kind]).itemsize
    if end - begin != size:
        raise broken(path, f"{name!r:.40} has {end - begin} bytes, and needs {size}")
    return kind, shape, start + begin, start + end


def whole_numbers(numbers: Any, most: int, least: int = 0) -> bool:
    return (isinstance(numbers, list) and least <= len(numbers) <= most
            and all(type(n) is int and 0 <= n < 2**48 for n in numbers))


def array_at(content: bytes, entry: tuple[str, list[int], int, int]) -> np.ndarray[Any, Any]:
    kind, shape, begin, end = entry
    array = np.frombuffer(content[begin:end], DTYPES[kind])  # a copy of its own: it starts where memory is aligned
    if kind == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)  # the upper half of a float32
    return array.reshape(shape)


def broken(path: Path, what: str) -> DataError:
    return DataError(f"{path} is not a whole safetensors file: {what}.")
