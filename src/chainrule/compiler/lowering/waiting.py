"""Waiting: an array that is there all along is shown to what follows only when another one is there, too."""
from __future__ import annotations

from chainrule.core.stage import Line

from .building import Builder, Opaque
from .joining import nothing
from .nodes import Ref


def later(builder: Builder, line: Line, x: Ref, trigger: Ref) -> Ref:
    """The same memory, by another name that is known after the trigger."""
    shown = builder.alias(x, x.shape)
    builder.items.append(Opaque((x,), (shown.node,), nothing, builder.origin, after=(trigger,)))
    return shown
