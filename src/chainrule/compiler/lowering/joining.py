"""Joining lets parts of an array be written where they belong by the kernels that compute them: nothing is copied to do it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chainrule.core.stage import Line
from chainrule.core.type import Shape

from ..plan import Step, View
from .building import Builder, Opaque
from .memory import Buffers, in_memory
from .nodes import Node, Ref, whole
from .products import Product


class Join(Opaque):
    """An array made of parts. Each is a node of its own, which lies in the whole from element `starts[i]` on, with the strides of
    the whole along the axes that it has."""

    def __init__(self, parts: Sequence[Node], output: Node, axes: Shape, starts: Sequence[tuple[int, int]], origin: Any) -> None:
        super().__init__(tuple(map(whole, parts)), (output,), nothing, origin)
        self.parts, self.output, self.axes, self.starts = parts, output, axes, starts

    def share(self, buffers: Buffers) -> None:
        """Give the parts their places in the whole; those that somebody needs in memory of their own have both."""
        in_memory(self.output, buffers)
        for store in self.output.stores:
            for node, (axis, start) in zip(self.parts, self.starts):
                if node.contiguous or (node.joined and node.order) or node.frame is not None:
                    in_memory(node, buffers)
                node.stores.append(replace(store, offset=store.offset + start * store.strides[axis],
                                           strides=tuple(store.strides[a] for a in self.axes)))


def nothing(inputs: list[Any], outputs: list[View]) -> list[Step]:
    """There are no steps: the parts are there already."""
    return []


def own(builder: Builder, x: Ref) -> Node:
    """A node that is all of a part, and that some kernel writes."""
    made = any((item.output if isinstance(item, Product | Join) else item) is x.node for item in reversed(builder.items))
    return x.node if made and not x.moves else builder.copy(x).node


def joined(builder: Builder, line: Line, parts: Sequence[Ref], axes: Shape, starts: Sequence[tuple[int, int]]) -> Ref:
    t = line.targets[0].type
    cast = [x if x.dtype == t.dtype else builder.zip(lambda v: v.cast(t.dtype), x, dtype=t.dtype) for x in parts]
    output = Node(t.shape, t.dtype, "leaf", origin=builder.origin, joined=True)
    nodes = [own(builder, x) for x in cast]
    builder.items.append(Join(nodes, output, axes, starts, builder.origin))
    return whole(output)


def concat(builder: Builder, line: Line, *parts: Ref, axis: int) -> Ref:
    starts, at = [], 0
    for x in parts:
        starts.append((axis, at))
        at += x.shape[axis]
    return joined(builder, line, parts, tuple(range(len(parts[0].shape))), starts)


def stack(builder: Builder, line: Line, *parts: Ref, axis: int) -> Ref:
    axes = tuple(a for a in range(len(parts[0].shape) + 1) if a != axis)
    return joined(builder, line, parts, axes, [(axis, i) for i in range(len(parts))])


JOINS = {"concat": concat, "stack": stack}
