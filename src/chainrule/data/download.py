"""A download is a file fetched over the network: whole, with the right checksum, or not there."""
from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from chainrule.errors import DataError

from .files import named

SECONDS = 20.0  # without an answer
PIECE = 2 ** 16


class Published(NamedTuple):
    """A file as it was published: its name, size and checksum."""

    name: str
    size: int
    sha256: str


def download(file: Published, folder: Path, mirrors: Sequence[str]) -> Path:
    """The path of the file in a folder, fetched from the first mirror that has it. Raises DataError and leaves nothing behind."""
    failures = []
    for mirror in mirrors:
        try:
            return fetched(file, folder, mirror + file.name)
        except OSError as error:  # URLError and timeouts are OSErrors
            failures.append(" ".join(str(getattr(error, "reason", None) or error.strerror or error).split())[:80])
    raise DataError(f"{named(folder / file.name)} cannot be downloaded ({failures[-1]}). Without a network, put the file there "
                    f"yourself; it is published at {mirrors[0]}{file.name}.")


def fetched(file: Published, folder: Path, address: str) -> Path:
    import urllib.request  # and with it http, ssl and email, which nothing else here needs
    folder.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=folder, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as out, urllib.request.urlopen(address, timeout=SECONDS) as answer:
            seen, digest = 0, hashlib.sha256()
            while seen <= file.size and (piece := answer.read(PIECE)):  # an endless answer ends one piece late
                seen += len(piece)
                digest.update(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        if (seen, digest.hexdigest()) != (file.size, file.sha256):
            raise OSError(None, f"{address} gives another file: its checksum is wrong")
        os.replace(beside, folder / file.name)
    finally:
        if os.path.exists(beside):
            os.unlink(beside)
    return folder / file.name
