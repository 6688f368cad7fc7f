"""Opening a gate replays the record with the gate's parts in its place."""
from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from typing import Any

import numpy as np

from chainrule.core.interpreter import Interpreter, under
from chainrule.core.primitive import Primitive
from chainrule.core.reverse import Recorded
from chainrule.core.type import Array
from chainrule.eager import EAGER
from chainrule.errors import ArgumentError
from chainrule.tensor import tensor

from .grouping import Grouping
from .record import Record


class Opened(Interpreter):
    """Apply a composite by its body, whose operations come here again; and all others as ever."""

    __slots__ = ()
    name = "opened"

    def __init__(self) -> None:
        super().__init__(EAGER)

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        return prim.body(*args, **params) if prim.body else self.parent.apply(prim, args, params)


def parts(result: Any, args: list[Any]) -> list[Any]:
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


def chosen_gates(record: Record, names: Collection[str]) -> frozenset[str]:
    """The names, after checking that each is a gate with parts; without names, all gates. Raises ArgumentError."""
    gates = {record.named[id(x)]: x for x in record.order if x.prim is not None and x.prim.body}
    for name in names:
        if name not in gates:
            known = name in record.named.values()
            what = "has no parts: it is no gate made of smaller operations" if known else "is no value here"
            raise ArgumentError(f"open: {name!r:.60} {what}. Gates with parts: {', '.join(list(gates)[:12]) or 'none'}.")
    return frozenset(names or gates)


def opened(record: Record, names: Container[str] | None = None) -> Record:
    """The record of the same loss with the gates of these names (None: all) in operations that have no parts."""
    new: dict[Recorded, Any] = {}
    sources: dict[int, str | None] = {}
    inside: dict[int, str] = {}
    groups: dict[int, str] = {id(c): record.grouping.of[id(c)] for c in record.constants if id(c) in record.grouping.of}
    for x in record.order:
        name, group = record.named[id(x)], record.grouping.of.get(id(x))
        if x.prim is None:
            new[x] = tensor(record.value(x), requires_grad=True)
            made: list[Any] = [new[x]]
        elif x.prim.name == "pick":
            new[x] = new[x.args[0]][x.params["index"]]
            made = [new[x]]
        else:
            args = [new.get(a, a) if isinstance(a, Recorded) else a for a in x.args]
            gate = bool(x.prim.body) and (names is None or name in names)
            with under(Opened() if gate else EAGER):
                new[x] = x.prim(*args, **x.params)
            made = parts(new[x], args)
            sources |= {id(part): record.sources.get(id(x), getattr(x, "line", None)) for part in made}
            made += own_constants(made, args) if gate else []
            inside |= {id(part): name for part in made if gate and part is not new[x]}
        if group is not None:
            groups |= {id(part): group for part in made}
    single = {x: y if isinstance(y, Recorded) else y[0].args[0] for x, y in new.items()
              if isinstance(y, Recorded) or y[0].prim.name == "pick"}  # several outputs are picks of one value
    constants = {id(c): record.named[id(c)] for c in record.constants}
    known = {id(y): record.named[id(x)] for x, y in reversed(single.items())} | constants  # a gate may pass its argument through
    chosen = {id(y) for x, y in single.items() if id(x) in record.chosen or x is record.loss} | constants.keys()
    return Record(
        new[record.loss], None if record.wanted is None else [new[x] for x in record.wanted],
        {key: name for key, name in known.items() if key in chosen}, sources=sources, inside=inside, symbols=record.symbols,
        kept={key: name for key, name in known.items() if key not in chosen},
        groups=Grouping(record.grouping.groups, groups), originals=[*single.items(), *record.originals])


def own_constants(made: Iterable[Any], args: list[Any]) -> list[Any]:
    """The constants that the parts of a gate use and the gate was not given."""
    given = {id(a) for a in args}
    return [a for part in made for a in part.args
            if not (isinstance(a, Recorded) and a.owner is EAGER) and isinstance(a, Recorded | np.ndarray) and id(a) not in given]
