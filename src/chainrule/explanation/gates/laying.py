"""Laying is putting gates into a record of their own: without those that have no influence, with copies, and with names."""
from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.interpreter import under
from chainrule.core.reverse import Recorded
from chainrule.eager import EAGER
from chainrule.tensor import tensor

from ..record.grouping import Grouping
from ..record.record import Record
from . import alphabet
from .drawing import Bundle
from .scalars import Scalars, label, owner
from .wires import Number, Wire, flows


@dataclass(frozen=True)
class Live:
    """The wires that reach the loss, oldest first: inputs, gates, and among both those used more than once."""

    inputs: Sequence[Wire]
    gates: Sequence[Wire]
    copied: frozenset[Wire]


@dataclass(frozen=True)
class Laid:
    """The new record, and the tensor of each wire in it."""

    record: Record
    tensors: dict[Wire, Any]


def live(scalars: Scalars) -> Live:
    """What remains without the gates that no path leads to from the loss."""
    uses = Counter({scalars.root: 1})
    for wire in reversed(scalars.pen.made):
        if wire in uses:
            uses.update(a for a in wire.args if flows(a))
    inputs = [a for x, bundle in scalars.elements.items() if x.prim is None for a in bundle.wires.flat if a in uses]
    gates = [wire for wire in scalars.pen.made if wire in uses]
    return Live(inputs, gates, frozenset(wire for wire, n in uses.items() if n > 1 and wire.prim is not alphabet.copy))


class Called(NamedTuple):
    """What the number on a wire is called, and the value of the record that it is an element of; None on the way to one."""

    name: str
    of: Recorded | None


def elements_called(scalars: Scalars) -> dict[Wire, Called]:
    """The names of the elements of values: of each wire the first, where it serves several."""
    record, found = scalars.record, dict[Wire, Called]()
    found[scalars.root] = Called(record.named[id(record.loss)], record.loss)
    for x, elements in scalars.elements.items():
        if isinstance(elements, Bundle):
            for index, a in np.ndenumerate(elements.wires):
                if flows(a) and a.home is owner(x):
                    found.setdefault(a, Called(label(record.named[id(x)], index), x))
    return found


def all_called(scalars: Scalars, gates: Sequence[Wire]) -> dict[Wire, Called]:
    """The names of all wires: on the way, after the element that a number leads to, or, if to several, after the whole value."""
    found, leads = elements_called(scalars), defaultdict[Wire, set[str]](set)
    for gate in reversed(gates):
        for a in gate.args:
            if flows(a) and a not in found:
                leads[a] |= {found[gate].name} if gate in found else leads[gate]
    numbers = Counter[str]()
    for gate, to in ((gate, leads[gate]) for gate in gates if gate not in found):
        base = next(iter(to)) if len(to) == 1 else scalars.record.named[id(gate.home)]
        numbers[base] += 1
        found[gate] = Called(f"{base}_{numbers[base]}", None)
    return found


class Layer:
    """Computes gates as tensors, and notes what the new record has to know of each."""

    def __init__(self, scalars: Scalars, kept: Live) -> None:
        self.record, self.kept, self.called = scalars.record, kept, all_called(scalars, kept.gates)
        self.tensors: dict[Wire, Any] = {}
        self.outlets: dict[Wire, Any] = {}  # what other gates take: the copy, where there is one
        self.given: dict[int, str] = {}
        self.unchosen: dict[int, str] = {}
        self.sources: dict[int, str | None] = {}
        self.inside: dict[int, str] = {}
        self.groups: dict[int, str] = {}

    def lay(self) -> None:
        with under(EAGER), np.errstate(all="ignore"):
            for wire in (*self.kept.inputs, *self.kept.gates):
                name, of = self.called[wire]
                t = self.computed(wire)
                self.tensors[wire] = self.outlets[wire] = t
                self.note(t, wire, name, chosen=of is self.record.loss or id(of) in self.record.chosen)
                if wire in self.kept.copied:
                    self.outlets[wire] = alphabet.copy(t)
                    self.note(self.outlets[wire], wire, f"{name}'", chosen=True)  # formulas keep its name: "copy" says nothing

    def computed(self, wire: Wire) -> Any:
        if wire.prim is None:
            return tensor(np.asarray(wire.value), requires_grad=True)
        return wire.prim(*map(self.argument, wire.args), **wire.params)

    def argument(self, a: Number) -> Any:
        if not isinstance(a, Wire):
            return a
        if a not in self.outlets:  # a constant
            self.outlets[a] = tensor(np.asarray(a.value))
            self.note(self.outlets[a], a, str(a.name), chosen=True)
        return self.outlets[a]

    def note(self, t: Any, wire: Wire, name: str, *, chosen: bool = False) -> None:
        key, home = id(t), wire.home
        (self.given if chosen else self.unchosen)[key] = name
        self.sources[key] = self.record.sources.get(id(home), getattr(home, "line", None)) if t.prim is not None else None
        if t.prim is not None and name != self.record.named[id(home)]:
            self.inside[key] = self.record.named[id(home)]
        if id(home) in self.record.grouping.of:
            self.groups[key] = self.record.grouping.of[id(home)]


def symbols_of(scalars: Scalars) -> dict[str, str]:
    """What gradients of elements are called, where those of whole values have a symbol."""
    record = scalars.record
    return {label(name, index): label(symbol, index) for x in record.order
            if (name := record.named[id(x)]) in record.symbols and (symbol := record.symbols[name])
            for index in np.ndindex(x.shape)}


def laid(scalars: Scalars, kept: Live) -> Laid:
    """The gates that are kept, computed anew and recorded, in a record of their own."""
    record, layer = scalars.record, Layer(scalars, kept)
    layer.lay()
    single = {x: layer.tensors[elements.wires[()]] for x, elements in scalars.elements.items()
              if isinstance(elements, Bundle) and elements.wires.shape == () and elements.wires[()] in layer.tensors}
    wanted = None if record.wanted is None else [
        layer.tensors[a] for x in record.wanted for a in scalars.elements[x].wires.flat if a in layer.tensors]
    made = Record(
        layer.tensors[scalars.root], wanted, layer.given, kept=layer.unchosen, sources=layer.sources, inside=layer.inside,
        symbols=symbols_of(scalars), groups=Grouping(record.grouping.groups, layer.groups),
        originals=[*single.items(), *((t, single[x]) for t, x in record.originals if x in single)])
    return Laid(made, layer.tensors)
