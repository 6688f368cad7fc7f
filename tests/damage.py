"""Damage is what happens to files: cut short, bits flipped, headers that lie; a reader refuses it in one line, or reads on.

    case = Case("cut to 64 of 500 bytes", b"...")
    judged(read, path, cases(whole))      # each case written to path and read; anything but one line of our own error fails

The generators yield Cases, the same ones for the same seed.
"""
from __future__ import annotations

import random
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.errors import DataError

LIES = (0, 1, 255, 10 ** 9, 2 ** 31 - 1, 2 ** 32 - 1, 2 ** 62, 2 ** 63 - 1, 2 ** 64 - 1)
FORMS = ("<I", ">I", "<Q", ">Q", "<H", ">H")
JUNK = {"nothing": b"", "one zero": b"\0", "zeros": bytes(4096), "ones": b"\xff" * 4096, "line ends": b"\r\n" * 2048,
        "marks of byte order": b"\xef\xbb\xbf\xff\xfe\xfe\xff" * 64, "text": b"not what you expect\n" * 64,
        "brackets": b"[" * 100_000, "quotes": b'"' * 100_001, "a page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>"}
SECONDS, MEGABYTES = 1.0, 192


class Case(NamedTuple):
    """What was done to a file, and what it holds then."""

    name: str
    data: bytes


def truncations(data: bytes, step: int = 64) -> Iterator[Case]:
    """Cut at every `step`th byte, and one byte short."""
    for size in sorted({*range(0, len(data), step), max(len(data) - 1, 0)}):
        yield Case(f"cut to {size} of {len(data)} bytes", data[:size])


def flips(data: bytes, seed: int = 0, count: int = 200) -> Iterator[Case]:
    """One bit flipped, at places drawn at random; a third of them among the first 256 bytes, where headers are."""
    draw = random.Random(seed)
    for k in range(count):
        place, bit = draw.randrange(min(len(data), 256) if k % 3 == 0 else len(data)), draw.randrange(8)
        yield Case(f"bit {bit} of byte {place} flipped", data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1:])


def lies(data: bytes, seed: int = 0, count: int = 200) -> Iterator[Case]:
    """A number, large as a rule, written over 2, 4 or 8 bytes: shapes, lengths and offsets that are not so."""
    draw = random.Random(seed)
    for k in range(count):
        form, number = draw.choice(FORMS), draw.choice(LIES)
        size = struct.calcsize(form)
        place = draw.randrange(max(1, min(len(data), 256 if k % 3 == 0 else len(data)) - size))
        written = struct.pack(form, number & (1 << 8 * size) - 1)
        yield Case(f"{number} ({form}) at byte {place}", data[:place] + written + data[place + size:])


def scrambles(data: bytes, seed: int = 0, count: int = 60) -> Iterator[Case]:
    """A stretch of random bytes taken out, doubled, zeroed or replaced by noise; and the file with more behind its end."""
    draw = random.Random(seed)
    for _ in range(count):
        start = draw.randrange(len(data))
        piece = data[start:start + draw.randint(1, 64)]
        end = start + len(piece)
        new = draw.choice((b"", piece * 2, bytes(len(piece)), draw.randbytes(len(piece))))
        yield Case(f"bytes {start} to {end} became {new[:16]!r}", data[:start] + new + data[end:])
    for extra in (b"\0", b"\n", data, bytes(4096)):
        yield Case(f"{len(extra)} bytes more at the end", data + extra)


def junk() -> Iterator[Case]:
    """Files that are something else altogether."""
    yield from (Case(name, data) for name, data in JUNK.items())


def cases(data: bytes, seed: int = 0, count: int = 200) -> Iterator[Case]:
    """All of these."""
    yield from truncations(data)
    yield from flips(data, seed, count)
    yield from lies(data, seed, count)
    yield from scrambles(data, seed)
    yield from junk()


# ---------------------------------------------------------------------------------------- the judgement
def judged(read: Callable[[Path], Any], path: Path, damaged: Iterable[Case], *, error: type[Exception] = DataError,
           megabytes: float = MEGABYTES) -> dict[str, str]:
    """Each case written to `path` and read: what was refused, and how. Fails as soon as one case

    raises anything but `error`, raises it in more than one line or without the file's name, takes a second of the processor, or
    more memory than allowed: what Python and NumPy ask for, and what the whole process holds.
    """
    said = {}
    for case in damaged:
        path.write_bytes(case.data)
        message = refusal(read, path, case.name, error, megabytes)
        if message is not None:
            said[case.name] = message
    return said


def refusal(read: Callable[[Path], Any], path: Path, name: str, error: type[Exception] = DataError,
            megabytes: float = MEGABYTES) -> str | None:
    """What `read` says against a path; None if it reads it."""
    held, began = resident(anew=True), time.process_time()
    tracemalloc.start()
    try:
        read(path)
        message = None
    except error as refused:
        message = str(refused)
    except Exception as other:
        raise AssertionError(f"{name}: {type(other).__name__}: {other}") from other
    finally:
        asked = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - began < SECONDS, f"{name}: took {time.process_time() - began:.2f} s"
    assert asked / 2 ** 20 < megabytes, f"{name}: asked for {asked / 2 ** 20:.0f} MB"
    assert resident() - held < megabytes, f"{name}: held {resident() - held:.0f} MB more"
    if message is not None:
        assert "\n" not in message and 0 < len(message) < 600 and message.isprintable(), f"{name}: {message!r}"
        assert path.name in message and "does not fit in memory" not in message, f"{name}: {message}"
    return message


def resident(*, anew: bool = False) -> float:
    """The most memory this process has held, in MB, since it was measured `anew`; 0 where the system does not say."""
    with suppress(OSError):
        if anew:
            Path("/proc/self/clear_refs").write_text("5")
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)
    return 0.0
