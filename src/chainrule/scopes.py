"""A scope is a stretch of a computation that has a name: one call of a module, or a block under `named_scope`.

Recorded values are numbered as they are made. A scope notes the numbers at which it began and ended, so that what was computed in
it is known afterwards, and no operation pays for it.
"""
from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from chainrule.core.interpreter import now
from chainrule.core.reverse import serials

from .eager import EAGER

KEPT = 16_384  # how many scopes are remembered; of older ones, values are known without


class Scope(NamedTuple):
    """From number `begin` to number `end`: a block called `name`, or a call of `module`, which is of class `kind`."""

    begin: int
    end: int
    name: str | None
    kind: str
    module: weakref.ref[Any] | None
    thread: int


scopes: deque[Scope] = deque(maxlen=KEPT)
"""The latest scopes, in the order in which they ended; those in which nothing was recorded are left out."""


def note(begin: int, name: str | None, module: Any = None) -> None:
    """Note that a block, or a call of `module`, that began at number `begin` has ended."""
    end = next(serials)
    if end > begin + 1 and now() is EAGER:
        kind, reference = ("scope", None) if module is None else (type(module).__name__, weakref.ref(module))
        scopes.append(Scope(begin, end, name, kind, reference, threading.get_ident()))


@contextmanager
def named_scope(name: str) -> Iterator[None]:
    """What is computed in the block belongs together under `name`: explanations draw it as one box, which opens.

    Calls of modules are scopes by themselves; this is for steps of a loop, and for layers that are plain functions.

    >>> import chainrule as cr
    >>> x = cr.tensor(2.0, requires_grad=True, name="x")
    >>> with cr.named_scope("cube"):
    ...     y = x * x * x
    >>> [(group.name, len(group.nodes)) for group in cr.explain(y).groups]
    [('cube', 2)]
    """
    begin = next(serials)
    try:
        yield
    finally:
        note(begin, str(name))
