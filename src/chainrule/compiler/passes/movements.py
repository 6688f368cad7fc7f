"""Movements that follow each other become one, and those that undo each other none."""
from __future__ import annotations

from math import prod
from typing import Any

from chainrule.core.stage import Line, Symbol
from chainrule.core.type import Array, Shape, typeof
from chainrule.ops.arithmetic import add
from chainrule.ops.broadcasting import broadcast_to, reshape
from chainrule.ops.indexing import embed, part
from chainrule.ops.joining import concat
from chainrule.ops.keys import Key
from chainrule.ops.movement import permute_dims

from .patterns import Row, Rule, made


def has_shape(x: Array, shape: Shape) -> bool:
    return typeof(x).shape == shape


def unmoved(x: Array, shape: Shape) -> Array:
    return x


def without_ones(shape: Shape) -> Shape:
    return tuple(n for n in shape if n != 1)


# ---------------------------------------------------------------------------------------- reshaping and transposing
def only_ones_move(x: Array, axes: Shape) -> bool:
    """Whether a transposition leaves the elements in their order."""
    shape = typeof(x).shape
    moved = [a for a in axes if shape[a] != 1]
    return moved == sorted(moved)


def transposed_twice(x: Array, inner: Shape, outer: Shape) -> Array:
    return permute_dims(x, axes=tuple(inner[a] for a in outer))


# ---------------------------------------------------------------------------------------- repeating
def padded(x: Array, ndim: int) -> Array:
    """An array with axes of size 1 in front, up to a rank."""
    shape = typeof(x).shape
    return x if len(shape) == ndim else reshape(x, shape=(*[1] * (ndim - len(shape)), *shape))


def repeated_then_reshaped(x: Array, full: Shape, shape: Shape) -> Array:
    """Repeat last, if the change of shape only adds or drops axes of size 1, or all elements are one."""
    small = typeof(x).shape
    if set(small) <= {1}:
        return broadcast_to(reshape(x, shape=()), shape=shape)
    if without_ones(full) != without_ones(shape):
        return None
    sizes = iter([n for n, m in zip((*[1] * (len(full) - len(small)), *small), full) if m != 1])
    return broadcast_to(reshape(x, shape=tuple(1 if m == 1 else next(sizes) for m in shape)), shape=shape)


def repeated_then_transposed(x: Array, full: Shape, axes: Shape) -> Array:
    return broadcast_to(permute_dims(padded(x, len(full)), axes=axes), shape=tuple(full[a] for a in axes))


def widened(x: Array, middle: Shape, shape: Shape) -> Array:
    """Axes of size 1 put in front of an array need not be there for it to be repeated."""
    small = typeof(x).shape
    longer, shorter = (middle, small) if len(middle) > len(small) else (small, middle)
    if longer != (*[1] * (len(longer) - len(shorter)), *shorter) or len(small) > len(shape):
        return None
    return broadcast_to(x, shape=shape)


# ---------------------------------------------------------------------------------------- parts
def is_whole(key: Key, shape: Shape) -> bool:
    """Whether a key leaves every axis of an array of this shape as it is."""
    return len(key) <= len(shape) and all(
        type(e) is slice and e.indices(n) == (0, n, 1) for e, n in zip(key, shape))


def stretch(shape: Shape, key: Key) -> tuple[int, int, int] | None:
    """The axis, start and end of the only axis that a key cuts; an integer cuts a stretch of one."""
    found = None
    for axis, e in enumerate(key):
        if type(e) is int:
            cut = (axis, e % shape[axis], e % shape[axis] + 1)
        elif type(e) is slice and e.step in (None, 1):
            start, end, _ = e.indices(shape[axis])
            if (start, end) == (0, shape[axis]):
                continue
            cut = (axis, start, end)
        else:
            return None
        if found is not None:
            return None
        found = cut
    return found


def joined(x: Array, y: Array, shape: Shape, key: Key, other_shape: Shape, other_key: Key) -> Array:
    """The sum of two arrays that are zero but for neighbouring stretches is zero but for both stretches, joined."""
    cuts = stretch(shape, key), stretch(shape, other_key)
    if shape != other_shape or None in cuts or cuts[0][0] != cuts[1][0] or typeof(x).dtype != typeof(y).dtype:
        return None
    (axis, start, middle), first = min(zip(cuts, (x, y)), key=lambda pair: pair[0])
    (_, between, end), second = max(zip(cuts, (x, y)), key=lambda pair: pair[0])
    sizes = [(*shape[:axis], size, *shape[axis + 1:]) for size in (middle - start, end - middle)]
    if middle != between or [prod(s) for s in sizes] != [typeof(first).size, typeof(second).size]:
        return None
    pieces = [reshape(piece, shape=size) for piece, size in zip((first, second), sizes)]
    return embed(concat(*pieces, axis=axis), shape=shape, key=Key((*[slice(None)] * axis, slice(start, end))))


def flat_concat(line: Line, known: Any) -> Array:
    """What is joined along one axis, piece by piece, is joined at once."""
    axis = line.params["axis"]
    inner = [known.made.get(a) if isinstance(a, Symbol) else None for a in line.args]
    nested = [each is not None and each.prim is concat and each.params["axis"] == axis for each in inner]
    if len(line.args) == 1:
        return line.args[0]
    if not any(nested) or len({typeof(a).dtype for a in line.args}) > 1:
        return None
    pieces = [piece for a, each, opens in zip(line.args, inner, nested) for piece in (each.args if opens else (a,))]
    return known.apply(concat, tuple(pieces), {"axis": axis})


def part_of_sum(x: Array, y: Array, key: Key) -> Array:
    """Parts of a sum are added where they are used, which reads both in order; a product need not wait for the other summand."""
    if typeof(x)[:2] != typeof(y)[:2]:
        return None
    return add(part(x, key=key), part(y, key=key))


def part_of_concat(line: Line, known: Any) -> Array:
    """The stretch that one of the joined arrays became is that array."""
    source = known.made.get(line.args[0]) if isinstance(line.args[0], Symbol) else None
    if source is None or source.prim is not concat:
        return None
    cut, position = stretch(typeof(line.args[0]).shape, line.params["key"]), 0
    for piece in source.args:
        size = typeof(piece).shape[source.params["axis"]]
        if cut == (source.params["axis"], position, position + size):
            return reshape(piece, shape=line.targets[0].type.shape)
        position += size
    return None


ROWS = (
    Row(made("reshape", "x", shape="shape"), unmoved, when=has_shape),
    Row(made("reshape", made("reshape", "x"), shape="shape"), lambda x, shape: reshape(x, shape=shape)),
    Row(made("permute_dims", "x", axes="axes"), lambda x, axes: x, when=lambda x, axes: axes == tuple(range(len(axes)))),
    Row(made("permute_dims", "x", axes="axes"), lambda x, axes: reshape(x, shape=tuple(typeof(x).shape[a] for a in axes)),
        when=only_ones_move),
    Row(made("permute_dims", made("permute_dims", "x", axes="inner"), axes="outer"), transposed_twice),
    Row(made("broadcast_to", "x", shape="shape"), unmoved, when=has_shape),
    Row(made("broadcast_to", made("broadcast_to", "x"), shape="shape"), lambda x, shape: broadcast_to(x, shape=shape)),
    Row(made("broadcast_to", made("reshape", "x", shape="middle"), shape="shape"), widened),
    Row(made("reshape", made("broadcast_to", "x", shape="full"), shape="shape"), repeated_then_reshaped),
    Row(made("permute_dims", made("broadcast_to", "x", shape="full"), axes="axes"), repeated_then_transposed),
    Row(made("part", "x", key="key"), lambda x, key: x, when=lambda x, key: is_whole(key, typeof(x).shape)),
    Row(made("embed", "x", shape="shape", key="key"), lambda x, shape, key: x, when=lambda x, shape, key: is_whole(key, shape)),
    Row(made("part", made("embed", "x", key="inner"), key="key"), lambda x, inner, key: x,
        when=lambda x, inner, key: tuple(inner) == tuple(key)),
    Row(made("add", made("embed", "x", shape="shape", key="key"), made("embed", "y", shape="other_shape", key="other_key")),
        joined),
    Rule((concat,), flat_concat),
    Row(made("part", made("add", "x", "y"), key="key"), part_of_sum),
    Rule((part,), part_of_concat),
)
