"""The canonical text of a kernel says what it computes and nothing else: titles and origins are no part of it."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..loops.language import (
    Apply,
    Array,
    Axis,
    Constant,
    Contraction,
    Gather,
    Index,
    Kernel,
    Let,
    Loop,
    Position,
    Read,
    Start,
    Sweep,
    Turn,
    Write,
)


def text(item: Any) -> str:
    """The canonical text of a kernel, a contraction or a part of one."""
    if isinstance(item, tuple):
        return f"({','.join(map(text, item))})"
    write = WRITERS.get(type(item))
    return write(item) if write else repr(item)


def kernel(k: Kernel) -> str:
    return f"kernel{text(k.arrays)}{text(k.body)}"


def contraction(c: Contraction) -> str:
    return f"contraction{'(rare)' * c.rare}{text(c.axes)}{text(c.arrays)}{c.left}{c.right}{c.dtype.str}{text(c.epilogue)}"


WRITERS: dict[type, Callable[[Any], str]] = {
    Kernel: kernel,
    Contraction: contraction,
    Sweep: lambda s: f"sweep({s.rounds}){text(s.arrays)}{text(s.own)}{text(s.turns)}",
    Turn: lambda t: f"turn{text(t.kernel)}{t.places}",
    Axis: lambda a: f"axis({a.name},{a.size},{a.left},{a.right},{a.summed})",
    Array: lambda a: f"array({a.name},{a.dtype.str},{a.size},{a.written})",
    Index: lambda i: f"{i.offset}{i.terms}",
    Constant: lambda c: f"constant({c.value!r},{c.dtype.str})",
    Read: lambda r: f"read({r.array},{text(r.index)},{r.guard})",
    Apply: lambda a: f"{a.operation}{a.args}{a.dtype.str}",
    Position: lambda p: f"position({p.variable})",
    Let: lambda s: f"let({s.name},{text(s.value)})",
    Write: lambda s: f"write({s.array},{text(s.index)},{s.value},{s.guard})",
    Start: lambda s: f"start({s.name},{s.combine},{s.dtype.str})",
    Gather: lambda s: f"gather({s.accumulator},{s.value})",
    Loop: lambda s: f"{s.kind}({s.variable},{s.extent},{text(s.body)})",
}
