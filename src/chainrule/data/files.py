"""A file is read within limits, and what is wrong with it is said in one line that begins with its name."""
from __future__ import annotations

import codecs
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chainrule.errors import ArgumentError, ChainruleError, DataError

Place = str | os.PathLike[str]
MOST_BYTES = 2 ** 32  # of a file
UNPACKED, RATIO = 2 ** 26, 64  # a file may unpack to 64 MiB, or to 64 times its size where that is more
GZIP = b"\x1f\x8b"
PIECE = 2 ** 20
AGAIN = "It may be damaged or cut short: copy or download it again."


def named(path: Place) -> str:
    """The path as an error shows it: on one line, whatever is in it."""
    text = os.fspath(path)
    return text if text.isprintable() and len(text) <= 200 else shown(text, 200)


def shown(value: object, most: int = 40) -> str:
    """A value as an error shows it: text in quotes, on one line and cut short."""
    text = repr(value[:most + 1]) if isinstance(value, str) else str(value)
    return text if len(text) <= most + 2 else f"{text[:most]}..."


@contextmanager
def refusing(path: Place, kind: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes a DataError in one line.

    Foreign parsers raise anything at all about damaged files, from KeyError to RecursionError: so all are caught here.
    """
    try:
        yield
    except ChainruleError:
        raise
    except MemoryError:
        raise DataError(f"{named(path)} does not fit in memory. Take a part of it, or a machine with more.") from None
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        reason = reason if reason.isprintable() else ascii(reason)
        raise DataError(f"{named(path)} is no {kind} that can be read ({reason[:120].rstrip('. ')}). {AGAIN}") from None


def content(path: Place, limit: int | None = None) -> bytes:
    """The bytes of a regular file, no more than its size says now. Raises DataError: devices, pipes and folders have no end."""
    where = named(path)
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device, pipe or socket"
            raise DataError(f"{where} is {kind}, not a file. Give the path of a file.")
        if status.st_size > (limit or MOST_BYTES):
            raise DataError(f"{where} has {status.st_size:,} bytes, more than {limit or MOST_BYTES:,}. Raise limit= to read it.")
        with refusing(path, "file"), open(path, "rb") as file:
            data = file.read(status.st_size)
    except (OSError, ValueError) as error:
        if isinstance(error, ChainruleError):
            raise
        raise DataError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if not data:
        raise DataError(f"{where} is empty.")
    return data


def allowed(size: int, limit: int | None) -> int:
    """How many bytes a file of this size may unpack to."""
    return limit or max(UNPACKED, RATIO * size)


def must_be_allowed(path: Place, unpacked: int, size: int, limit: int | None) -> None:
    """Raises DataError where a file would unpack to more than is allowed for its size."""
    if unpacked > allowed(size, limit):
        raise DataError(f"{named(path)} unpacks to more than {allowed(size, limit):,} bytes from {size:,}. "
                        "If it is to be trusted, raise limit=.")


def plain(path: Place, limit: int | None = None) -> bytes:
    """The bytes of a file, unpacked if it is one by gzip."""
    data = content(path, limit)
    return unzipped(data, path, limit) if data.startswith(GZIP) else data


def unzipped(data: bytes, path: Place, limit: int | None) -> bytes:
    """What gzip packed: one member after the other, each up to its checksum."""
    pieces: list[bytes] = []
    total, rest = 0, data
    with refusing(path, "gzip file"):
        while rest.startswith(GZIP):
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                piece = member.decompress(rest, PIECE)
                rest = member.unconsumed_tail
                if not piece and not rest and not member.eof:
                    raise EOFError("the file ends early")
                total += len(piece)
                must_be_allowed(path, total, len(data), limit)
                pieces.append(piece)
            rest = member.unused_data
        if rest.strip(b"\0"):
            raise ValueError("there is something else behind its end")
    if not total:
        raise DataError(f"{named(path)} is empty.")
    return b"".join(pieces)


def text_of(data: bytes, path: Place, encoding: str) -> str:
    """The text in these bytes, without its mark of byte order. Raises DataError that names the line of what is no such text."""
    try:
        codec = codecs.lookup(encoding).name
        text = data.removeprefix(codecs.BOM_UTF8 if codec == "utf-8" else b"").decode(codec)
    except (LookupError, ValueError) as error:
        if not isinstance(error, UnicodeError):
            raise ArgumentError(f"encoding={shown(encoding)} is unknown. Usual are 'utf-8', 'utf-16' and 'latin-1'.") from None
        start = getattr(error, "start", 0)
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        hint = "'utf-16', as which it begins" if wide else "for example 'latin-1'"
        raise DataError(f"{named(path)}, line {data.count(10, 0, start) + 1}: byte {start} is no {encoding}. "
                        f"Save the file as UTF-8, or give its encoding=, {hint}.") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{named(path)}, line {line}: there is a NUL, so this is no text in {encoding}. "
                        "Give a text file, or its encoding=, for example 'utf-16'.")
    return text


def file_name(path: Place) -> str:
    """The last part of a path."""
    return named(Path(path).name)
