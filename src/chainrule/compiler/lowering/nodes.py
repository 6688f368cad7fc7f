"""A node is an array that a program computes: a leaf that lies in memory, a map of scalars, or a reduction of one of them."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal

import numpy as np

from chainrule.core.type import Shape

from ..loops.language import Combine, Origin
from ..plan import Place as Memory
from .affine import ZERO, Affine, NeedsSplit, NotAffine, Place, Sizes, flat, strides_of
from .moves import Guess, Move, Reshape

Kind = Literal["leaf", "map", "reduce"]
NOWHERE = Origin()


@dataclass(eq=False)
class Store:
    """Where the elements of a node lie: a buffer, and strides in elements; `steps` say how far it moves on in each round of a
    loop over time."""

    buffer: str
    offset: int
    strides: Shape
    steps: tuple[tuple[str, int], ...] = ()

    def place(self, further: int = 0) -> Memory:
        """Where the first element lies, or one that many elements further on."""
        return Memory(self.buffer, self.offset + further, self.steps)

    def seen_as(self, shape: Shape) -> Store:
        """The same elements, which lie in C order, as an array of another shape."""
        return replace(self, strides=strides_of(shape))


@dataclass(eq=False)
class Node:
    """An array. A `map` computes each element by `run(context, *scalars)` from one element of each of its `args`, which
    broadcast to its shape, and from any elements of the `foreign` ones, which lie in memory. A `reduce` folds `axes` of its
    one argument by `combine`.

    `costly` says that its elements are not to be computed twice. A `free` map is computed wherever it is used, and is never
    stored: it comes from nothing but its place, or in `weight` cheap steps from arrays in memory.
    """

    shape: Shape
    dtype: np.dtype[Any]
    kind: Kind
    args: tuple[Ref, ...] = ()
    foreign: tuple[Ref, ...] = ()
    run: Callable[..., Any] | None = None
    combine: Combine = "sum"
    axes: Shape = ()
    origin: Origin = NOWHERE
    costly: bool = False
    free: bool = False
    weight: int = 0
    stores: list[Store] = field(default_factory=list)
    number: Any = None  # the value of a constant scalar
    contiguous: bool = False  # whether somebody needs it in C order
    joined: bool = False  # whether kernels write parts of it where they belong: its axes may lie in any order until somebody asks
    frame: Any = None  # how an operation needs it in memory: with a border, with gaps
    group: Any = None  # the group that computes it
    order: Shape = ()  # its axes as they lie in memory, the outermost first
    preferred: Shape = ()  # the order that suits its readers
    aliases: list[Node] = field(default_factory=list)  # leaves of other shapes in the same memory
    alias_of: Node | None = None

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, eq=False)
class Ref:
    """A node seen through moves, the first of which is applied first."""

    node: Node
    moves: tuple[Move, ...]
    shape: Shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.node.dtype

    def moved(self, move: Move, shape: Shape) -> Ref:
        return Ref(self.node, (*self.moves, move), shape)

    def back(self, place: Place, sizes: Sizes) -> Place:
        """Where an element of this view lies in the node; a longer place loses its first axes, as broadcasting has it."""
        place = place[len(place) - len(self.shape):]
        if 1 in self.shape:
            place = tuple(ZERO if n == 1 else index for n, index in zip(self.shape, place))
        for move in reversed(self.moves):
            place = move.back(place, sizes)
        return place

    def forth(self, place: Guess, sizes: Sizes, shape: Shape) -> Guess:
        """The place, in an array of `shape` to which this view broadcasts, of an element of the node; None is unknown."""
        for move in self.moves:
            place = move.forth(place, sizes)
        lead = len(shape) - len(self.shape)
        inner = tuple(ZERO if m == 1 else None if n == 1 else index for n, m, index in zip(self.shape, shape[lead:], place))
        return (*(ZERO if m == 1 else None for m in shape[:lead]), *inner)

    @property
    def reshapes(self) -> bool:
        """Whether a move changes which elements are neighbours along an axis."""
        return any(isinstance(m, Reshape) and [n for n in m.old if n != 1] != [n for n in m.new if n != 1] for m in self.moves)


def original(node: Node) -> Node:
    """The node in whose memory a node lies."""
    while node.alias_of is not None:
        node = node.alias_of
    return node


def beneath(refs: Iterable[Ref]) -> Iterator[Node]:
    """The nodes that views show, and in place of free ones those from which they are computed."""
    for ref in refs:
        if ref.node.free:
            yield from beneath(ref.node.args)
        else:
            yield ref.node


def whole(node: Node) -> Ref:
    """The node as it is."""
    return Ref(node, (), node.shape)


def own_place(shape: Shape) -> tuple[Place, dict[int, int]]:
    """One dimension for each axis, and their sizes."""
    return (tuple(ZERO if n == 1 else Affine(0, ((i, 1),)) for i, n in enumerate(shape)), dict(enumerate(shape)))


def strided(ref: Ref, strides: Shape) -> tuple[int, Shape] | None:
    """Offset and strides of a view of a node with these strides; None where it is no plain view."""
    if 0 in ref.shape:
        return 0, strides_of(ref.shape)
    found = reached(ref)
    if found is None:
        return None
    index = flat(found[1], strides)
    steps, along = dict(index.terms), []
    for axis in found[0]:
        along.append(next((steps.get(d, 0) for d, c in axis.terms if c == 1), 0))
        if any(steps.get(d, 0) != c * along[-1] for d, c in axis.terms):
            return None
    return index.offset, tuple(along)


def splittable(ref: Ref) -> bool:
    """Whether loops over this view reach every element of its node, when split where they must be."""
    return reached(ref) is not None


def reached(ref: Ref) -> tuple[Place, Place] | None:
    """Loops over a view, split where they must be: where in the view they are, and where in its node; None if none do."""
    place, sizes = own_place(ref.shape)
    for _ in range(32):
        try:
            return place, ref.back(place, sizes)
        except NeedsSplit as need:
            place = split(place, sizes, need)
        except NotAffine:
            break
    return None


def packed(node: Node) -> Shape:
    """The strides of a node without gaps, its axes in its own order."""
    strides, step = [0] * len(node.shape), 1
    for axis in reversed(node.order or range(len(node.shape))):
        strides[axis] = step
        step *= node.shape[axis]
    return tuple(strides)


def strides_in(node: Node) -> Shape:
    """How a node lies in memory, or will if it has to lie in C order."""
    if node.stores:
        return node.stores[0].strides
    return packed(node) if node.joined else strides_of(node.shape)


def split(place: Place, sizes: dict[int, int], need: NeedsSplit) -> Place:
    """Cut a dimension into an outer one, which is new, and an inner one, which keeps its number."""
    outer = max(sizes) + 1
    sizes[outer], sizes[need.dim] = sizes[need.dim] // need.inner, need.inner
    by = Affine(0, tuple(sorted(((outer, need.inner), (need.dim, 1)))))
    return tuple(index.replaced(need.dim, by) for index in place)
