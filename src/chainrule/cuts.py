"""A cut is a place where a value left the graph, so that no gradient comes back through it."""
from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any, NamedTuple

from chainrule.core.primitive import Primitive
from chainrule.core.reverse import Recorded
from chainrule.core.source import line_of, user_frame
from chainrule.core.type import Type


def called(name: str | None, type: Type, prim: Primitive | None) -> str:
    """How messages call a value: its name, or its type and the operation that made it."""
    made = f" from {prim.name}" if prim else ""
    return f"{name!r} ({type}{made})" if name else f"{type}{made}"


class Cut(NamedTuple):
    """What cut, where in the user's code, and the value on the far side, as long as somebody else keeps it.

    It is noted at every comparison, and hardly ever read: sentences are made when somebody asks.
    """

    kind: str
    code: CodeType
    instruction: int
    origin: tuple[str | None, Type, Primitive | None]
    source: weakref.ref[Recorded]

    @property
    def line(self) -> str:
        return line_of(self.code, self.instruction)

    @property
    def label(self) -> str:
        return called(*self.origin)

    def __str__(self) -> str:
        return f"{self.kind} of {self.label} at {self.line}"


copies: deque[Cut] = deque(maxlen=16)
"""The latest values read out as NumPy arrays or Python numbers: what is computed from those is not recorded."""


def cut(kind: str, source: Any) -> Cut:
    """Note that `source` is cut off here, by the user's line that is running."""
    frame = user_frame()
    return Cut(kind, frame.f_code, frame.f_lasti, (source.name, source.type, source.prim), weakref.ref(source))


def note_copy(kind: str, source: Any) -> None:
    copies.append(cut(kind, source))


def told(cuts: Iterable[Cut], leads_to: Callable[[Recorded], bool] = lambda source: False) -> str:
    """The cuts as a sentence: those known to lead to the value asked for; else those whose source is gone, which may have."""
    found = [(c, c.source()) for c in cuts]
    sure = [c for c, source in found if source is not None and leads_to(source)]
    gone = [c for c, source in found if source is None]
    lines = list(dict.fromkeys(map(str, sure or gone or [c for c, _ in found])))
    if not lines:
        return ""
    more = f"; and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f" The path was cut by {'; by '.join(lines[:3])}{more}."
