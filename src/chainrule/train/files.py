"""A file here is either the old one or the new one, whole, and never half of either; and what is read is looked at first."""
from __future__ import annotations

import json
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from chainrule.errors import DataError, StorageError

LARGEST_JSON = 16 * 2**20  # bytes: parsed, they may take twenty times as much


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Within the block, an error of the system becomes one of ours that names the file and says what to do."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(error.errno, f"{path} cannot be used: {error.strerror or error}. Make room, or see that the folder is "
                           "there and may be written to; what was written before is whole.") from None


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk, too."""
    if os.name == "posix":  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_synced(path: Path, content: bytes) -> None:
    """Write a file that nobody looks at yet, and make sure that it is on the disk. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(content)
        while rest:  # a system may write a part only
            rest = rest[os.write(handle, rest):]
        os.fsync(handle)
    finally:
        os.close(handle)


def write_safely(path: Path, content: bytes) -> None:
    """Write a file beside its place, make sure it is on the disk, and only then put it there. Raises StorageError."""
    with naming(path):
        beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            write_synced(beside / path.name, content)
            os.replace(beside / path.name, path)
            sync_folder(path.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, an entry on each line. Raises StorageError."""
    write_safely(path, json_bytes(content))


def json_bytes(content: Mapping[str, Any]) -> bytes:
    lines = [f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in content.items()]
    return "\n".join(["{", ",\n".join(lines), "}", ""]).encode()


def versions() -> dict[str, str]:
    """What wrote a file, to be written into it."""
    from chainrule import __version__  # no file of the package names the package at the top
    return {"chainrule": __version__, "numpy": np.__version__, "python": platform.python_version()}


def read_whole(path: Path, most: int | None = None) -> bytes:
    """What is in a file of at most so many bytes. Raises StorageError, DataError."""
    with naming(path), open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise DataError(f"{path} has {size:,} bytes; at most {most:,} are looked at. It is not what was written here.")
        return file.read()


def json_object(content: bytes, path: Path) -> dict[str, Any]:
    """The JSON object in these bytes of a file. Raises DataError."""
    found = json_value(content, path)
    if not isinstance(found, dict):
        raise DataError(f"{path} holds no JSON object.")
    return found


def json_value(content: bytes, path: Path) -> Any:
    """What these bytes of a file say in JSON, every name once in its object and every number finite. Raises DataError."""
    def refuse(text: str) -> NoReturn:
        raise ValueError(f"{text:.40} is no number of JSON")

    def finite(text: str) -> float:
        return number if math.isfinite(number := float(text)) else refuse(text)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name stands twice in one object")
        return found
    try:
        return json.loads(content.decode(), object_pairs_hook=once, parse_constant=refuse, parse_float=finite)
    except RecursionError:
        raise DataError(f"{path} is not a whole JSON file: it is nested too deeply.") from None
    except ValueError as error:
        raise DataError(f"{path} is not a whole JSON file: {' '.join(str(error).split())!s:.200}.") from None
