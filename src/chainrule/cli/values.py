"""A value is what a person types for an option, read or refused in one line."""
from __future__ import annotations

import argparse
import math
from typing import Any

LARGEST_LAYER, MOST_LAYERS, MOST = 4096, 100, 1_000_000_000


def refused(text: str, wanted: str) -> argparse.ArgumentTypeError:
    shown = text if len(text) <= 40 else f"{text[:37]}..."
    return argparse.ArgumentTypeError(f"{shown!r} is not {wanted}")


def whole(text: str, least: int, most: int, wanted: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise refused(text, wanted)
    return int(text)


def count(text: str) -> int:
    return whole(text, 1, MOST, f"a whole number from 1 to {MOST:,}")


def seed(text: str) -> int:
    return whole(text, 0, 2 ** 63 - 1, "a whole number from 0 to 2^63 - 1")


def sizes(text: str) -> tuple[int, ...]:
    """Layer sizes from a text such as 64,32."""
    if text == "none":
        return ()
    parts, wanted = text.split(","), f"sizes from 1 to {LARGEST_LAYER}, such as 64,32, or none"
    if len(parts) > MOST_LAYERS:
        raise argparse.ArgumentTypeError(f"{len(parts)} layers are too many; at most {MOST_LAYERS}")
    return tuple(whole(part.strip(), 1, LARGEST_LAYER, wanted) for part in parts)


def number(text: str, wanted: str, holds: Any) -> float:
    try:
        value = float(text)
    except ValueError:
        raise refused(text, wanted) from None
    if not (math.isfinite(value) and holds(value)):
        raise refused(text, wanted)
    return value


def positive(text: str) -> float:
    return number(text, "a number above 0", lambda v: v > 0)


def share(text: str) -> float:
    return number(text, "a number from 0 to below 1", lambda v: 0 <= v < 1)


def above_zero_below_one(text: str) -> float:
    return number(text, "a number above 0 and below 1", lambda v: 0 < v < 1)


def weight(text: str) -> float:
    return number(text, "a number from 0 up", lambda v: v >= 0)


def typed(value: Any) -> str:
    """A value as one would type it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value)


def width(text: str) -> int:
    return whole(text, 1, LARGEST_LAYER, f"a whole number from 1 to {LARGEST_LAYER}")


def depth(text: str) -> int:
    return whole(text, 1, MOST_LAYERS, f"a whole number from 1 to {MOST_LAYERS}")
