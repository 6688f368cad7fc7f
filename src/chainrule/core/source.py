"""A source line is where in the user's own code something happened."""
from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType, FrameType

OWN = frozenset(str(path) for path in Path(__file__).parent.parent.rglob("*.py"))
"""The files of chainrule itself: a frame in one of them is not the user's."""


def user_frame(depth: int = 1) -> FrameType:
    """The innermost frame, from `depth` callers up, that is not chainrule's own."""
    frame = sys._getframe(depth + 1)
    while frame.f_back is not None and frame.f_code.co_filename in OWN:
        frame = frame.f_back
    return frame


def user_line() -> str:
    """`file:line` of the user's code that is running."""
    frame = user_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def line_of(code: CodeType, instruction: int) -> str:
    """`file:line` of an instruction; kept as two numbers until somebody asks, because most are never asked for."""
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return f"{code.co_filename}:{line}"
    return f"{code.co_filename}:{code.co_firstlineno}"
