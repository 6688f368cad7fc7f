"""The store keeps compiled programs on disk, so that a program that was compiled before starts at once.

An entry is a header, a text and objects (machine code). It is believed only if it carries its own key and the SHA-256 of all that
follows; anything else, like a missing, cut off, foreign or unreadable file, counts as not there. Nothing that goes wrong here
is an error: the program is compiled again.
"""
from __future__ import annotations

import hashlib
import os
import struct
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

from .host import this_host

FORMAT = 1
MAGIC = b"chainrule\x00"
LIMIT = 256 << 20
"""Bytes that all entries together may take; the oldest go first."""
SUFFIX = ".native"
COMPILER = Path(__file__).parents[1]


def default_folder() -> Path | None:
    """$CHAINRULE_CACHE, or the user's folder for caches; None if it is `off`."""
    asked = os.environ.get("CHAINRULE_CACHE", "")
    if asked == "off":
        return None
    if asked:
        return Path(asked)
    if sys.platform == "darwin":
        return Path("~/Library/Caches/chainrule").expanduser()
    home = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", "")
    return Path(home or Path("~/.cache").expanduser()) / "chainrule"


@cache
def generators() -> str:
    """A hash of the files that turn kernels into machine code: another version of one makes other code."""
    hashed = hashlib.sha256()
    for path in sorted(path for folder in ("native", "contractions", "loops") for path in (COMPILER / folder).glob("*.py")):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


class Store:
    """Entries in a folder, by key. `folder=None` keeps nothing."""

    def __init__(self, folder: Path | None = None, *, limit: int = LIMIT) -> None:
        with suppress(RuntimeError):  # no home folder is known
            folder = folder or default_folder()
        self.folder, self.limit = folder, limit

    def key(self, *texts: str) -> str:
        """The name of an entry: a hash of what is compiled, of the processor and of all versions."""
        host = this_host()
        parts = (str(FORMAT), generators(), llvmlite.__version__, str(llvm.llvm_version_info), repr(host), *texts)
        hashed = hashlib.sha256()
        for part in parts:
            hashed.update(struct.pack("<Q", len(part)) + part.encode())
        return hashed.hexdigest()

    def load(self, key: str) -> tuple[str, list[bytes]] | None:
        """The text and the objects under this key, or None."""
        if self.folder is None:
            return None
        path = self.folder / (key + SUFFIX)
        try:
            found = unpacked(path.read_bytes(), key)
        except (OSError, ValueError, struct.error, MemoryError):
            return None
        with suppress(OSError):
            os.utime(path)  # used just now: it goes last
        return found

    def save(self, key: str, text: str, objects: Sequence[bytes]) -> None:
        """Write an entry, all of it or nothing."""
        if self.folder is None:
            return
        name = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(prefix="new", dir=self.folder)
            with os.fdopen(handle, "wb") as file:
                file.write(packed(key, text, objects))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.folder / (key + SUFFIX))
            self.shrink()
        except OSError:
            if name is not None:
                with suppress(OSError):
                    os.unlink(name)

    def shrink(self) -> None:
        """Remove the entries not used for the longest time until the rest fits; what killed writers left goes, too."""
        assert self.folder is not None
        entries = []
        for path in self.folder.iterdir():
            with suppress(OSError):
                known = path.stat()
                if path.suffix == SUFFIX or path.name.startswith("new"):
                    entries.append((known.st_mtime, known.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit:
                break
            with suppress(OSError):
                path.unlink()
            total -= size


def packed(key: str, text: str, objects: Sequence[bytes]) -> bytes:
    pieces = [text.encode(), *objects]
    body = key.encode() + struct.pack("<Q", len(pieces)) + b"".join(struct.pack("<Q", len(p)) + p for p in pieces)
    return MAGIC + hashlib.sha256(body).digest() + body


def unpacked(data: bytes, key: str) -> tuple[str, list[bytes]]:
    """What `packed` made into data for this key; a ValueError for anything else."""
    start = len(MAGIC) + 32
    digest, body = data[len(MAGIC):start], data[start:]
    if data[:len(MAGIC)] != MAGIC or hashlib.sha256(body).digest() != digest or body[:len(key)] != key.encode():
        raise ValueError("not an entry of this key")
    at = len(key)
    (count,) = struct.unpack_from("<Q", body, at)
    at += 8
    pieces = []
    for _ in range(count):
        (size,) = struct.unpack_from("<Q", body, at)
        pieces.append(body[at + 8:at + 8 + size])
        at += 8 + size
    return pieces[0].decode(), pieces[1:]
