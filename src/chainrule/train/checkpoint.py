"""A checkpoint is a file that is either the old one or the new one, whole, and never half of either."""
from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.errors import DataError
from chainrule.nn.module import Module


def write_safely(path: Path, content: bytes) -> None:
    """Write a file beside its place, make sure it is on the disk, and only then put it there.

    Raises OSError, with the name of the file.
    """
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o666 & ~current_umask())  # mkstemp's files are for their owner alone
        os.replace(beside, path)
    except BaseException as error:
        os.unlink(beside)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, an entry on each line. Raises OSError."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in content.items()]
    write_safely(path, "\n".join(["{", ",\n".join(lines), "}", ""]).encode())


def save_weights(path: str | Path, module: Module, metadata: Mapping[str, str] | None = None) -> None:
    """Save all parameters and buffers of a module as a safetensors file, under their dotted names. Raises OSError."""
    from safetensors.numpy import save  # `import chainrule` needs NumPy alone
    write_safely(Path(path), save(dict(module.state_dict()), dict(metadata or {})))


def load_weights(path: str | Path, module: Module) -> None:
    """Load what `save_weights` saved. Raises DataError for a file that is not whole, ArgumentError where it does not fit."""
    module.load_state_dict(read_weights(path))


def read_weights(path: str | Path) -> dict[str, Any]:
    """The arrays of a safetensors file by name. Raises DataError for a file that is not whole, OSError."""
    from safetensors import SafetensorError
    from safetensors.numpy import load
    try:
        return load(Path(path).read_bytes())
    except (SafetensorError, KeyError) as error:  # KeyError: a kind of number that NumPy does not have
        raise DataError(f"{path} is not a whole safetensors file: {error}") from None
