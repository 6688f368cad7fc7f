"""The outside is what a compiled function cannot do again at each call: print, and draw from foreign random generators."""
from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from chainrule.core.source import OWN, user_line
from chainrule.errors import StagingError


class Refusing:
    """Stands for the standard output while a function is traced."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        raise StagingError(f"{user_line()}: a compiled function prints {text[:40]!r}, but its Python code runs only once, when "
                           "it is traced. Return the value and print it outside, or leave out @cr.compile while you look.")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def dice() -> tuple[Any, Any]:
    """Where the random generators of Python and of NumPy stand."""
    state = np.random.get_state(legacy=False)
    assert isinstance(state, dict)
    return random.getstate(), (state["state"]["key"].tobytes(), state["state"]["pos"], state["gauss"])


@contextmanager
def refused() -> Iterator[Callable[[], bool]]:
    """Refuse to print within the block; gives the question whether foreign dice were thrown since."""
    before, stream = dice(), sys.stdout
    sys.stdout = Refusing(stream)
    try:
        yield lambda: dice() != before
    finally:
        sys.stdout = stream


def thrown_at(function: Callable[[], Any]) -> str:
    """The line of the user's code that throws foreign dice, found by looking at them after each line."""
    found: list[str] = []
    last: dict[str, Any] = {"dice": dice(), "line": ""}

    def look(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename in OWN:
            return None
        if not found and dice() != last["dice"]:
            found.append(last["line"])
        last["line"] = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        return look

    tracer = sys.gettrace()
    sys.settrace(look)
    try:
        function()
    finally:
        sys.settrace(tracer)
    return found[0] if found else last["line"]


def dice_error(line: str) -> StagingError:
    """The error for random numbers that would be the same at each call."""
    return StagingError(f"{line}: a compiled function draws from the random generator of Python or NumPy, and would see the same "
                        "numbers at each call. Draw with cr.random, which a compiled function draws from anew, or give the "
                        "numbers as an argument.")
