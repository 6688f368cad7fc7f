"""A checkpoint is a folder that holds everything a training needs to go on as if it had never stopped.

    runs/a/checkpoints/
      pass-3-step-135/
        weights.safetensors    parameters and buffers, by their dotted names
        arrays.safetensors     all other arrays: of the optimizer, the listeners
        state.json             everything else: options, positions, random states, versions
        checksums.txt          of these three files, as `sha256sum --check` reads them

It is written beside its place, brought to the disk, and put there by one renaming: what stands there is whole. If a disk alters
it later, its checksums say so.
"""
from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.errors import DataError, StorageError

from .files import LARGEST_JSON, json_bytes, json_object, naming, read_whole, sync_folder, write_synced
from .packing import packed, unpacked
from .weights import Arrays, read_weights, weights_bytes

WEIGHTS, ARRAYS, STATE, SUMS = "weights.safetensors", "arrays.safetensors", "state.json", "checksums.txt"
FORMAT = 1
NAME = re.compile(r"pass-(\d{1,18})-step-(\d{1,18})")
LEFT_OVER = ".chainrule-"  # what an interrupted writing or removal may leave behind


class Saved(NamedTuple):
    """What a checkpoint holds: the state of the training, and the weights by name."""

    state: dict[str, Any]
    weights: Arrays


def name_of(passes: int, step: int) -> str:
    """What the checkpoint after so many whole passes and steps is called."""
    return f"pass-{passes}-step-{step}"


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first, damaged ones too. Raises StorageError."""
    with naming(folder):
        found = [path for path in folder.iterdir() if NAME.fullmatch(path.name)] if folder.exists() else []
    return sorted(found, key=lambda path: tuple(map(int, NAME.fullmatch(path.name).groups())))  # type: ignore[union-attr]


# ---------------------------------------------------------------------------------------- writing
def write_checkpoint(path: Path, state: Mapping[str, Any], weights: Arrays) -> None:
    """Write a checkpoint, whole or not at all. Raises StorageError, and ArgumentError for a state that cannot be saved."""
    arrays: Arrays = {}
    described = packed({"format": FORMAT, **state}, arrays)
    contents = {WEIGHTS: weights_bytes(weights), ARRAYS: weights_bytes(arrays), STATE: json_bytes(described)}
    with naming(path):
        beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=LEFT_OVER))
        try:
            for name, content in contents.items():
                write_synced(beside / name, content)
            write_synced(beside / SUMS, sums((name, hashlib.sha256(c).hexdigest()) for name, c in contents.items()))
            beside.chmod(0o777 & ~current_umask())  # mkdtemp's folders are for their owner alone
            sync_folder(beside)
            if path.exists():  # a damaged one, or the same again
                remove_checkpoint(path)
            os.rename(beside, path)
            sync_folder(path.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def sums(digests: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in digests).encode()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint; it is out of sight at once, so that nobody finds a half of it. Raises StorageError."""
    with naming(path):
        hidden = Path(tempfile.mkdtemp(dir=path.parent, prefix=LEFT_OVER))
        os.rename(path, hidden / path.name)
    shutil.rmtree(hidden, ignore_errors=True)


def remove_left_over(folder: Path) -> None:
    """Remove what writing or removing left when it was killed."""
    for path in folder.glob(f"{LEFT_OVER}*"):
        shutil.rmtree(path, ignore_errors=True)


# ---------------------------------------------------------------------------------------- reading
def read_checkpoint(path: Path) -> Saved:
    """What a checkpoint holds. Raises DataError, which names the file, for one that is damaged; StorageError."""
    must_be_unaltered(path)
    described = json_object(read_whole(path / STATE, LARGEST_JSON), path / STATE)
    if described.get("format") != FORMAT:
        raise DataError(f"{path / STATE} has the format {described.get('format')!r:.20}, and this chainrule reads {FORMAT}. Use "
                        f"the one that wrote it: {described.get('versions')!r:.80}.")
    try:
        state = unpacked(described, read_weights(path / ARRAYS))
    except DataError as error:
        raise DataError(f"{path / STATE} is damaged: {error}") from None
    return Saved(state, read_weights(path / WEIGHTS))


def must_be_unaltered(path: Path) -> None:
    digests = []
    for name in (WEIGHTS, ARRAYS, STATE):
        if not (path / name).is_file():
            raise DataError(f"{path / name} is missing: this is no whole checkpoint.")
        with naming(path / name), open(path / name, "rb") as file:
            digests.append((name, hashlib.file_digest(file, "sha256").hexdigest()))
    found, expected = read_sums(path), sums(digests)
    if found != expected:
        lines = zip(digests, expected.splitlines(), [*found.splitlines(), *[b""] * 3])
        altered = next((name for (name, _), right, line in lines if right != line), SUMS)
        raise DataError(f"{path / altered} is damaged: it is not what {SUMS} says was written.")


def read_sums(path: Path) -> bytes:
    if not (path / SUMS).is_file():
        raise DataError(f"{path / SUMS} is missing: this is no whole checkpoint.")
    return read_whole(path / SUMS, 4096)


def newest(paths: Iterable[Path]) -> tuple[Path, Saved, list[str]]:
    """The first of these checkpoints that is whole, what it holds, and what is wrong with those before it. Raises DataError."""
    wrong: list[str] = []
    for path in paths:
        try:
            return path, read_checkpoint(path), wrong
        except (DataError, StorageError) as error:
            wrong.append(str(error))
    raise DataError(f"there is no whole checkpoint: {wrong[0]}" if wrong else "there is no checkpoint.")
