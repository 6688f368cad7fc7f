"""Opening a gate replays the record with the gate's parts in its place."""
from __future__ import annotations

from typing import Any

from chainrule.core.interpreter import Interpreter, under
from chainrule.core.primitive import Primitive
from chainrule.core.reverse import Recorded
from chainrule.core.type import Array
from chainrule.eager import EAGER
from chainrule.tensor import tensor

from ..story import Explanation
from .record import Record


class Opened(Interpreter):
    """Apply a composite by its body, whose operations come here again; and all others as ever."""

    __slots__ = ()
    name = "opened"

    def __init__(self) -> None:
        super().__init__(EAGER)

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        return prim.body(*args, **params) if prim.body else self.parent.apply(prim, args, params)


def parts(result: Any, args: list[Any]) -> list[Recorded]:
    """The values computed on the way from the arguments of a gate to its result."""
    seen = set(map(id, args))
    stack = list(result) if isinstance(result, tuple) else [result]
    found = []
    while stack:
        x = stack.pop()
        if isinstance(x, Recorded) and x.owner is EAGER and id(x) not in seen:
            seen.add(id(x))
            found.append(x)
            stack += x.args
    return found


def opened(record: Record) -> Explanation:
    """The explanation of the same loss, in operations that have no parts."""
    new: dict[Recorded, Any] = {}
    sources: dict[int, str | None] = {}
    inside: dict[int, str] = {}
    for x in record.order:
        if x.prim is None:
            new[x] = tensor(record.value(x), requires_grad=True)
        elif x.prim.name == "pick":
            new[x] = new[x.args[0]][x.params["index"]]
        else:
            args = [new.get(a, a) if isinstance(a, Recorded) else a for a in x.args]
            with under(Opened()):
                new[x] = x.prim(*args, **x.params)
            for part in parts(new[x], args):
                sources[id(part)] = record.sources.get(id(x), getattr(x, "line", None))
                if part is not new[x]:
                    inside[id(part)] = record.named[id(x)] if id(x) in record.chosen or x is record.loss else x.prim.name
    names = {id(new[x]): record.named[id(x)] for x in record.order if id(x) in record.chosen or x is record.loss}
    names |= {id(c): record.named[id(c)] for c in record.constants}
    wanted = None if record.wanted is None else [new[x] for x in record.wanted]
    originals = [(x, new[x]) for x in record.order if isinstance(new[x], Recorded)]
    return Record(new[record.loss], wanted, names, sources=sources, inside=inside, symbols=record.symbols,
                  originals=originals).explanation()
