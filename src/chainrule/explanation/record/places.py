"""A place is one point of the user's computation at which something happened to a gradient."""
from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Place:
    """What happened (`kind`), at which `file:line`, to which value (`source`), and why, in words with numbers (`says`).

    `path` are the steps from the value asked about to the loss; a step in brackets is where the path is broken. Where `sure` is
    false the far side of a cut is gone from memory, so that only its note speaks.
    """

    kind: str
    line: str | None
    source: str
    says: str
    path: tuple[str, ...] = ()
    sure: bool = True


def step(x: Any) -> str:
    """What a path calls a value: its name, or the operation that made it."""
    return x.name or (x.prim.name if x.prim else "leaf")


def label(x: Any) -> str:
    """What messages call a value, also the several outputs of an operation."""
    return f"the outputs of {x.prim.name}" if isinstance(x.value, tuple) else str(x.label)


def short_line(line: str | None) -> str:
    """A line with the file's own name only, so that it fits a page."""
    return Path(line).name if line else "an unknown line"


def drawn(path: Sequence[str], most: int = 9) -> str:
    """A path with arrows, broken behind each step in brackets; the middle of a long one is left out."""
    cut = next((k for k, s in enumerate(path) if s.startswith("[")), len(path) // 2)
    kept = [k for k in range(len(path)) if k < 2 or k >= len(path) - 3 or abs(k - cut) <= (most - 5) // 2]
    out = ""
    for n, k in enumerate(kept):
        arrow = "" if n == 0 else " -/-> " if path[kept[n - 1]].startswith("[") else " -> "
        gap = "… -> " if n and k != kept[n - 1] + 1 else ""
        out += arrow + gap + path[k]
    return out


def paragraph(text: str, width: int, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def listed(numbers: Sequence[int], most: int = 8) -> str:
    """The first numbers, and how many more there are."""
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most} more"


def first_index(mask: Any) -> tuple[int, ...]:
    """The index of the first element that is set."""
    return tuple(int(k) for k in np.unravel_index(int(np.argmax(mask)), np.shape(mask)))
