"""A form says how an operation is a contraction: its loops, where they are in the operands, and where in the result.

Two steps: `needs(line)` says how the two operands should lie in memory; once they do, `form(line, views)` gives the loops.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np

from chainrule.core.stage import Line
from chainrule.core.type import promote, typeof
from chainrule.ops.contraction import linear, vecdot
from chainrule.ops.convolution import convolution, kernel_convolution, transposed_convolution
from chainrule.ops.einsum import chain_einsum, einsum
from chainrule.ops.matmul import chain_matmul, matmul

from ..loops.language import Axis

Shape = tuple[int, ...]
Terms = tuple[tuple[str, int], ...]


class Viewed(Protocol):
    """An operand where it lies: a `plan.View`, or anything else that has a shape and strides in elements."""

    @property
    def shape(self) -> Shape: ...

    @property
    def strides(self) -> Shape: ...


@dataclass(frozen=True)
class Need:
    """How an operand should lie in memory.

    spread: along each axis, its elements are so far apart, with zeros between; pads: then so many zeros stand before and after,
    or, where negative, so many elements are left out; order: the axes, the outermost in memory first, as is best (any will do).
    An operand that has no border, is not spread, and may lie in any order can be read where it is.
    """

    spread: Shape
    pads: tuple[tuple[int, int], ...]
    order: Shape | None = None

    @property
    def bordered(self) -> bool:
        """Whether the operand cannot be read as it is."""
        return any(map(any, self.pads)) or any(s != 1 for s in self.spread)

    def shape(self, shape: Shape) -> Shape:
        """The shape with its border."""
        return tuple((n - 1) * s + 1 + low + high if n else max(low + high, 0)
                     for n, s, (low, high) in zip(shape, self.spread, self.pads))


@dataclass(frozen=True)
class Form:
    """An operation as sums of products.

    axes: the loops; left, right: the offsets of the first elements in the operands' views; places: for each axis of the result,
    which free axes say where along it the sum belongs, each times a step; dtype: in which both operands are read and summed;
    bias: along which axis of the result the third argument is added to the sum, if there is one; careful: a product with a factor
    0 counts as 0 whatever the other is, so a result that is not finite must be computed by the operation itself.
    """

    axes: tuple[Axis, ...]
    left: int
    right: int
    places: tuple[Terms, ...]
    shape: Shape
    dtype: np.dtype[Any]
    bias: int | None = None
    careful: bool = False


class Loops(NamedTuple):
    """What differs from one operation to another."""

    axes: tuple[Axis, ...]
    places: tuple[Terms, ...]
    left: int = 0
    right: int = 0
    bias: int | None = None


CAREFUL = {chain_matmul, chain_einsum, kernel_convolution}


def needs(line: Line) -> tuple[Need, Need] | None:
    """How the first two arguments should lie in memory; None: the operation is no contraction."""
    if line.prim not in LOOPS or not supported(line):
        return None
    make = NEEDS.get(line.prim)
    return make(line) if make else (plain(line.args[0]), plain(line.args[1]))


def form(line: Line, views: Sequence[Viewed]) -> Form | None:
    """The loops over these two operands, which lie as `needs` says; None: the operation is no contraction."""
    if line.prim not in LOOPS or not supported(line):
        return None
    loops = LOOPS[line.prim](line, *views)
    dtype = promote(typeof(line.args[0]), typeof(line.args[1]))
    return Form(loops.axes, loops.left, loops.right, loops.places, line.targets[0].type.shape, dtype, loops.bias,
                line.prim in CAREFUL)


def supported(line: Line) -> bool:
    """Two arrays of numbers that can be summed as they are, and no constants without a dtype."""
    if line.prim in (einsum, chain_einsum) and len(line.args) != 2:
        return False
    types = [typeof(a) for a in line.args[:2]]
    dtype = promote(*types)
    return not any(t.weak for t in types) and (dtype.kind in "iu" or dtype.name in ("float32", "float64"))


def plain(x: Any) -> Need:
    rank = typeof(x).ndim
    return Need((1,) * rank, ((0, 0),) * rank)


# ---------------------------------------------------------------------------------------- products of matrices
def matmul_loops(line: Line, a: Viewed, b: Viewed) -> Loops:
    """Stacks of matrices; the axes of the stacks broadcast, and a vector is a row or a column that the result lacks."""
    inner = a.shape[-1]
    sums = Axis("k", inner, a.strides[-1], b.strides[-2 if len(b.shape) > 1 else -1], summed=True)
    rows = [Axis("i", a.shape[-2], a.strides[-2], 0)] if len(a.shape) > 1 else []
    columns = [Axis("j", b.shape[-1], 0, b.strides[-1])] if len(b.shape) > 1 else []
    stacks = stacked((a.shape[:-2], a.strides[:-2]), (b.shape[:-2], b.strides[:-2]))
    free = [*stacks, *rows, *columns]
    return Loops((*free, sums), tuple(((axis.name, 1),) for axis in free))


def stacked(a: tuple[Shape, Shape], b: tuple[Shape, Shape]) -> list[Axis]:
    """The axes along which two arrays broadcast."""
    rank = max(len(a[0]), len(b[0]))
    shapes = [(1,) * (rank - len(shape)) + shape for shape, _ in (a, b)]
    strides = [(0,) * (rank - len(shape)) + tuple(0 if n == 1 else s for n, s in zip(shape, steps)) for shape, steps in (a, b)]
    sizes = [m if n == 1 else n for m, n in zip(*shapes)]
    return [Axis(f"b{i}", n, *steps) for i, (n, *steps) in enumerate(zip(sizes, *strides))]


def linear_loops(line: Line, x: Viewed, weight: Viewed) -> Loops:
    rows = [Axis(f"b{i}", n, s, 0) for i, (n, s) in enumerate(zip(x.shape[:-1], x.strides[:-1]))]
    free = [*rows, Axis("j", weight.shape[0], 0, weight.strides[0])]
    sums = Axis("k", x.shape[-1], x.strides[-1], weight.strides[1], summed=True)
    return Loops((*free, sums), tuple(((axis.name, 1),) for axis in free), bias=bias_axis(line, len(free) - 1))


def bias_axis(line: Line, axis: int) -> int | None:
    return axis if len(line.args) > 2 and line.args[2] is not None else None


def vecdot_loops(line: Line, a: Viewed, b: Viewed) -> Loops:
    free = stacked((a.shape[:-1], a.strides[:-1]), (b.shape[:-1], b.strides[:-1]))
    sums = Axis("k", a.shape[-1], a.strides[-1], b.strides[-1], summed=True)
    return Loops((*free, sums), tuple(((axis.name, 1),) for axis in free))


def einsum_loops(line: Line, a: Viewed, b: Viewed) -> Loops:
    """A loop for each letter; a letter twice in one term walks along the diagonal."""
    terms, _, out = line.params["subscripts"].partition("->")
    sizes: dict[str, int] = {}
    steps: list[dict[str, int]] = []
    for term, view in zip(terms.split(","), (a, b)):
        strides: dict[str, int] = {}
        for letter, n, stride in zip(term, view.shape, view.strides):
            sizes[letter] = n
            strides[letter] = strides.get(letter, 0) + stride
        steps.append(strides)
    axes = tuple(Axis(c, n, steps[0].get(c, 0), steps[1].get(c, 0), summed=c not in out) for c, n in sizes.items())
    return Loops(axes, tuple(((c, 1),) for c in out))


# ---------------------------------------------------------------------------------------- convolutions
def spatial(line: Line) -> range:
    return range(typeof(line.args[0]).ndim - 2)


def channels_last(rank: int) -> Shape:
    return (0, *range(2, rank + 2), 1)


def convolution_needs(line: Line) -> tuple[Need, Need]:
    """Data with their padding and the channels side by side; the kernel as it is."""
    rank = len(spatial(line))
    data = Need((1,) * (rank + 2), ((0, 0), (0, 0), *line.params["padding"]), channels_last(rank))
    return data, plain(line.args[1])


def transposed_needs(line: Line) -> tuple[Need, Need]:
    """Zeros between the elements of the gradient as far as windows stand apart, and so many around as windows reach beyond."""
    p, rank = line.params, len(spatial(line))
    extent = [d * (k - 1) for d, k in zip(p["dilation"], typeof(line.args[1]).shape[2:])]
    around = tuple((e - low, e - high) for e, (low, high) in zip(extent, p["padding"]))
    return Need((1, 1, *p["stride"]), ((0, 0), (0, 0), *around), channels_last(rank)), plain(line.args[1])


def kernel_needs(line: Line) -> tuple[Need, Need]:
    rank = len(spatial(line))
    data = Need((1,) * (rank + 2), ((0, 0), (0, 0), *line.params["padding"]), channels_last(rank))
    return data, Need((1,) * (rank + 2), ((0, 0),) * (rank + 2), channels_last(rank))


def convolution_loops(line: Line, x: Viewed, weight: Viewed) -> Loops:
    p, size = line.params, line.targets[0].type.shape[2:]
    groups = p["groups"]
    out, channels = weight.shape[0] // groups, weight.shape[1]
    axes = [Axis("n", x.shape[0], x.strides[0], 0), Axis("g", groups, channels * x.strides[1], out * weight.strides[0]),
            Axis("o", out, 0, weight.strides[0]), Axis("c", channels, x.strides[1], weight.strides[1], summed=True)]
    for i in spatial(line):
        axes += [Axis(f"y{i}", size[i], p["stride"][i] * x.strides[2 + i], 0),
                 Axis(f"k{i}", weight.shape[2 + i], p["dilation"][i] * x.strides[2 + i], weight.strides[2 + i], summed=True)]
    return Loops(tuple(axes), ((("n", 1),), (("g", out), ("o", 1)), *(((f"y{i}", 1),) for i in spatial(line))),
                 bias=bias_axis(line, 1))


def transposed_loops(line: Line, g: Viewed, weight: Viewed) -> Loops:
    """A convolution of the gradient, with its border, with the kernel reversed in space."""
    p, size = line.params, line.targets[0].type.shape[2:]
    groups = p["groups"]
    out, channels = weight.shape[0] // groups, weight.shape[1]
    axes = [Axis("n", g.shape[0], g.strides[0], 0), Axis("g", groups, out * g.strides[1], out * weight.strides[0]),
            Axis("c", channels, 0, weight.strides[1]), Axis("o", out, g.strides[1], weight.strides[0], summed=True)]
    start = 0
    for i in spatial(line):
        kernel, step = weight.shape[2 + i], weight.strides[2 + i]
        start += (kernel - 1) * step
        axes += [Axis(f"x{i}", size[i], g.strides[2 + i], 0),
                 Axis(f"k{i}", kernel, p["dilation"][i] * g.strides[2 + i], -step, summed=True)]
    return Loops(tuple(axes), ((("n", 1),), (("g", channels), ("c", 1)), *(((f"x{i}", 1),) for i in spatial(line))),
                 right=start, bias=bias_axis(line, 1))


def kernel_loops(line: Line, x: Viewed, g: Viewed) -> Loops:
    p, kernel = line.params, line.targets[0].type.shape[2:]
    groups = p["groups"]
    out, channels = g.shape[1] // groups, x.shape[1] // groups
    axes = [Axis("n", x.shape[0], x.strides[0], g.strides[0], summed=True),
            Axis("g", groups, channels * x.strides[1], out * g.strides[1]), Axis("o", out, 0, g.strides[1]),
            Axis("c", channels, x.strides[1], 0)]
    for i in spatial(line):
        axes += [Axis(f"y{i}", g.shape[2 + i], p["stride"][i] * x.strides[2 + i], g.strides[2 + i], summed=True),
                 Axis(f"k{i}", kernel[i], p["dilation"][i] * x.strides[2 + i], 0)]
    return Loops(tuple(axes), ((("g", out), ("o", 1)), (("c", 1),), *(((f"k{i}", 1),) for i in spatial(line))))


LOOPS: dict[Any, Callable[..., Loops]] = {
    matmul: matmul_loops, chain_matmul: matmul_loops, linear: linear_loops, vecdot: vecdot_loops, einsum: einsum_loops,
    chain_einsum: einsum_loops, convolution: convolution_loops, transposed_convolution: transposed_loops,
    kernel_convolution: kernel_loops,
}
NEEDS: dict[Any, Callable[[Line], tuple[Need, Need]]] = {
    convolution: convolution_needs, transposed_convolution: transposed_needs, kernel_convolution: kernel_needs,
}


def work(form: Form) -> int:
    """How many products are summed."""
    return prod(axis.size for axis in form.axes)
