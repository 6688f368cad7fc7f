"""Memory gives nodes the buffers they lie in, and scratch buffers their places in one arena."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.core.type import Shape

from ..plan import Buffer, Place, View
from .affine import strides_of
from .nodes import Node, Ref, Store, packed, strided


@dataclass
class Buffers:
    """The buffers of a plan so far."""

    all: dict[str, Buffer] = field(default_factory=dict)
    variables: int = 0
    frames: dict[str, Any] = field(default_factory=dict)  # the layout of each buffer with a border

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
            self.frames[name] = (node.frame, node.shape, node.dtype)
            return Store(name, node.frame.offset, node.frame.strides)
        return Store(self.add(self.fresh(), node.dtype, node.size), 0, packed(node))

    def rare(self, node: Node) -> Store:
        """Memory for what is hardly ever computed, by a call."""
        return Store(self.add(self.fresh(), node.dtype, node.size, "rare"), 0, packed(node))

    def flag(self) -> Store:
        """A boolean that is false, but between the launch that may set it and the step right behind, which asks for it."""
        return Store(self.add("flag", np.bool_, 1, "kept"), 0, ())


def in_memory(node: Node, buffers: Buffers) -> None:
    """Give a node memory, if it has none."""
    if node.stores:
        return
    if node.alias_of is None:
        node.stores.append(buffers.scratch(node))
        return
    in_memory(node.alias_of, buffers)
    node.stores.append(node.alias_of.stores[0].seen_as(node.shape))


def view_of(ref: Ref) -> View:
    """Something in memory as NumPy sees it."""
    store = ref.node.stores[0]
    found = strided(ref, store.strides)
    assert found is not None, f"{ref.node.origin.operation} is no plain view"
    return View(store.place(found[0]), ref.shape, found[1], ref.dtype)


def whole_view(buffer: str, shape: Shape, dtype: Any) -> View:
    return View(Place(buffer), shape, strides_of(shape), dtype)
