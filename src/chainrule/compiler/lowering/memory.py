"""Memory gives nodes the buffers they lie in, and scratch buffers their places in one arena."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule.core.type import Shape

from ..plan import Buffer, Call, Launch, Place, Repeat, Step, View, When
from .affine import strides_of
from .nodes import Node, Ref, Store, strided

ALIGNMENT = 64


@dataclass
class Buffers:
    """The buffers of a plan so far."""

    all: dict[str, Buffer] = field(default_factory=dict)
    variables: int = 0

    def add(self, name: str, dtype: Any, size: int, kind: Any = "scratch", initial: Any = None) -> str:
        self.all[name] = Buffer(name, np.dtype(dtype), size, kind, initial)
        return name

    def fresh(self) -> str:
        return f"t{len(self.all)}"

    def variable(self) -> str:
        """The name of the variable of one more loop over time."""
        self.variables += 1
        return f"time{self.variables}"

    def scratch(self, node: Node) -> Store:
        """Memory for a node, in the order of its axes, or with the border it needs."""
        if node.frame is not None:
            name = self.add(self.fresh(), node.dtype, node.frame.size, "kept")
            return Store(name, node.frame.offset, node.frame.strides)
        return Store(self.add(self.fresh(), node.dtype, node.size), 0, packed(node))

    def flag(self) -> Store:
        """A boolean that is false at first."""
        return Store(self.add(self.fresh(), np.bool_, 1, "kept"), 0, ())

    def mask(self, node: Node) -> Node:
        """A table of booleans, one for each element of a node, all false at first."""
        mask = Node(node.shape, np.dtype(np.bool_), "leaf", order=node.order)
        mask.stores.append(Store(self.add(self.fresh(), np.bool_, node.size, "kept"), 0, packed(mask)))
        return mask


def in_memory(node: Node, buffers: Buffers) -> None:
    """Give a node memory, if it has none."""
    if node.stores:
        return
    if node.alias_of is None:
        node.stores.append(buffers.scratch(node))
        return
    in_memory(node.alias_of, buffers)
    node.stores.append(node.alias_of.stores[0].seen_as(node.shape))


def packed(node: Node) -> Shape:
    """The strides of a node without gaps, its axes in its own order."""
    strides, step = [0] * len(node.shape), 1
    for axis in reversed(node.order or range(len(node.shape))):
        strides[axis] = step
        step *= node.shape[axis]
    return tuple(strides)


def view_of(ref: Ref) -> View:
    """Something in memory as NumPy sees it."""
    store = ref.node.stores[0]
    found = strided(ref, store.strides)
    assert found is not None, f"{ref.node.origin.operation} is no plain view"
    return View(store.place(found[0]), ref.shape, found[1], ref.dtype)


def whole_view(buffer: str, shape: Shape, dtype: Any) -> View:
    return View(Place(buffer), shape, strides_of(shape), dtype)


# ---------------------------------------------------------------------------------------- the arena
def touched(step: Step) -> Iterator[str]:
    """The buffers that a step reads or writes."""
    if isinstance(step, Launch):
        yield from (p.buffer for p in step.places)
    elif isinstance(step, Call):
        yield from (v.place.buffer for v in (*step.args, *step.targets) if isinstance(v, View))
    else:
        if isinstance(step, When):
            yield step.flag.buffer
        for inner in step.steps:
            yield from touched(inner)


def lifetimes(steps: Iterable[Step]) -> dict[str, tuple[int, int]]:
    """The first and the last step that touches each buffer."""
    found: dict[str, tuple[int, int]] = {}
    for i, step in enumerate(steps):
        for name in touched(step):
            found[name] = (found[name][0] if name in found else i, i)
    return found


def arranged(buffers: Iterable[Buffer], steps: list[Step]) -> list[Buffer]:
    """The buffers with places in the arena: two that are needed at the same time do not overlap. Unused ones are dropped."""
    life = lifetimes(steps)
    scratch = [b for b in buffers if b.kind == "scratch" and b.name in life]
    taken: list[tuple[int, int, int, int]] = []  # offset, end, first and last step
    made = {}
    for b in sorted(scratch, key=lambda b: -b.size * b.dtype.itemsize):
        first, last = life[b.name]
        need = -(-max(b.size * b.dtype.itemsize, 1) // ALIGNMENT) * ALIGNMENT
        offset = 0
        for start, end, other_first, other_last in sorted(taken):
            if other_first <= last and first <= other_last:
                if offset + need <= start:
                    break
                offset = max(offset, end)
        taken.append((offset, offset + need, first, last))
        made[b.name] = replace(b, offset=offset)
    return [made.get(b.name, b) for b in buffers if b.name in made or b.kind in ("input", "output") or b.name in life]


def renamed(step: Step, names: dict[str, str]) -> Step:
    """The step with some buffers in place of others."""
    def place(p: Place) -> Place:
        return replace(p, buffer=names.get(p.buffer, p.buffer))

    def view(v: Any) -> Any:
        return replace(v, place=place(v.place)) if isinstance(v, View) else v

    if isinstance(step, Launch):
        return replace(step, places=tuple(map(place, step.places)))
    if isinstance(step, Call):
        return replace(step, args=tuple(map(view, step.args)), targets=tuple(map(view, step.targets)))
    inner = tuple(renamed(s, names) for s in step.steps)
    if isinstance(step, When):
        return When(place(step.flag), inner)
    return Repeat(step.variable, step.count, inner)
