"""A product is a contraction of two arrays in memory, whose loops may go on with the sums: its epilogue."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.core.stage import Line
from chainrule.core.type import Shape

from ..contractions.forms import Form, Need, form, needs
from ..loops.language import Axis, Origin
from .affine import ZERO, Affine, strides_of
from .building import Builder
from .groups import Group
from .moves import Slice
from .nodes import Node, Ref, strided, whole
from .reductions import cast


@dataclass(frozen=True)
class Frame:
    """A layout with a border: the strides of the elements, where the first one is, and how much memory there is in all."""

    strides: Shape
    offset: int
    size: int
    shape: Shape
    border_strides: Shape


@dataclass
class Sight:
    """An operand where it lies, as forms look at it."""

    shape: Shape
    strides: Shape
    offset: int


def framed(need: Need, shape: Shape) -> Frame:
    """The layout in which an operand has the border that is needed."""
    whole_shape = need.shape(shape)
    order = need.order or tuple(range(len(shape)))
    packed = strides_of(tuple(whole_shape[a] for a in order))
    steps = tuple(packed[order.index(a)] for a in range(len(shape)))
    return Frame(tuple(s * k for s, k in zip(steps, need.spread)), sum(low * s for (low, _), s in zip(need.pads, steps)),
                 int(np.prod(whole_shape)), whole_shape, steps)


@dataclass(eq=False)
class Product:
    """The contraction of a line's first two arguments; `axes` are its free loops, by the group's dimensions."""

    line: Line
    operands: tuple[Ref, ...]
    bordered: tuple[bool, ...]
    bias: tuple[Ref, ...]
    output: Node
    origin: Origin
    form: Form | None = None
    axes: dict[int, Axis] | None = None

    def start(self, group: Group, layout: Callable[[Node], Shape]) -> None:
        """Find the loops, now that it is known how the operands lie, and give the group its dimensions."""
        self.form = form(self.line, [self.sight(i, layout) for i in range(2)])
        assert self.form is not None
        self.axes, names = {}, {}
        for axis in self.form.axes:
            if not axis.summed and axis.size > 1:
                names[axis.name] = group.new_dim(axis.size)
                self.axes[names[axis.name]] = axis
        place = []
        for terms in self.form.places:
            index = ZERO
            for name, step in terms:
                if name in names:
                    index = index.plus(Affine(0, ((names[name], step),)))
            place.append(index)
        group.places[self.output] = tuple(place)
        if not self.output.order or self.output.contiguous:
            self.output.order = tuple(range(len(place)))
        steps = dict(zip(self.output.order, strides_of(tuple(self.output.shape[a] for a in self.output.order))))
        reach = {d: c * steps[a] for a, index in enumerate(place) for d, c in index.terms}
        group.order = sorted(self.axes, key=lambda d: -reach[d])

    def sight(self, i: int, layout: Callable[[Node], Shape]) -> Sight:
        """How operand `i` lies; one with a border is seen with it, from the beginning of its memory."""
        ref = self.operands[i]
        if self.bordered[i]:
            frame = ref.node.frame
            return Sight(frame.shape, frame.border_strides, -frame.offset)
        view = strided(ref, layout(ref.node))
        assert view is not None, "operands are plain views"
        return Sight(ref.shape, view[1], view[0])

    @property
    def stacked(self) -> bool:
        """Whether it is a stack of products, each of a part of both factors."""
        assert self.axes is not None
        return any(axis.left and axis.right for axis in self.axes.values())

    def split(self, dim: int, outer: int, inner: int) -> None:
        """Make two loops of one."""
        assert self.axes is not None
        axis = self.axes[dim]
        self.axes[outer] = replace(axis, name=f"{axis.name}.{outer}", size=axis.size // inner, left=axis.left * inner,
                                   right=axis.right * inner)
        self.axes[dim] = replace(axis, size=inner)


def product(builder: Builder, line: Line, a: Ref, b: Ref, *rest: Ref | None, **params: Any) -> Ref | None:
    """A line as a contraction, or None where it is none."""
    needed = needs(line)
    target = line.targets[0].type
    if needed is None or 0 in (*a.shape, *b.shape):
        return None
    if any(n * s <= -min(pair) for x, need in zip((a, b), needed) for n, s, pair in zip(x.shape, need.spread, need.pads)):
        return None
    operands = tuple(operand(builder, cast(builder, x, target.dtype), need) for x, need in zip((a, b), needed))
    bias = tuple(x for x in rest if x is not None)
    output = Node(target.shape, target.dtype, "leaf", origin=builder.origin)
    if needed[0].order is not None and len(target.shape) == len(needed[0].order) and line.prim.name != "kernel_convolution":
        output.order = needed[0].order
    builder.items.append(Product(line, operands, tuple(n.bordered for n in needed), bias, output, builder.origin))
    return whole(output)


def operand(builder: Builder, x: Ref, need: Need) -> Ref:
    """An operand that lies in memory as it is needed."""
    if not need.bordered:
        return builder.viewable(x)
    key = (x.node, x.moves, need)
    if key not in builder.framed:
        builder.framed[key] = with_border(builder, x, need)
    return builder.framed[key]


def with_border(builder: Builder, x: Ref, need: Need) -> Ref:
    """The operand in a layout with zeros around it; what it has too much is left out."""
    if any(n < 0 for pair in need.pads for n in pair):
        out = [tuple(-(min(p, 0) // s) for p in pair) for pair, s in zip(need.pads, need.spread)]
        shape = tuple(n - low - high for n, (low, high) in zip(x.shape, out))
        starts = tuple(low for low, _ in out)
        x = builder.move(x, Slice(starts, (1,) * len(shape), tuple(range(len(shape))), x.shape, shape), shape)
        need = replace(need, pads=tuple(
            (low + a * s, high + b * s) for (low, high), (a, b), s in zip(need.pads, out, need.spread)))
    node = x.node
    taken = x.moves or node.free or node.stores or node.frame or node.contiguous or node.kind == "leaf"
    if taken:
        x = builder.copy(x)
    x.node.frame = framed(need, x.shape)
    return x
