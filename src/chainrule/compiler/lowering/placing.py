"""Placing puts an array into a part of another one, or elsewhere along an axis."""
from __future__ import annotations

from typing import Any

from chainrule.core.stage import Line
from chainrule.core.type import Shape

from ..loops.language import Origin
from ..plan import Step, View
from .building import Builder, Handler
from .handwork import Hand, everywhere, kinds_for
from .joining import concat
from .moves import Slice, sliced
from .nodes import Ref
from .scalars import Scalar


def placed(origin: Origin, old: View | None, part: View, move: Slice, out: View) -> list[Step]:
    """The array as it was, or zeros, and then the part."""
    hand = Hand(origin)
    everywhere(hand, out, lambda index: hand.constant(0, out.dtype) if old is None else hand.read(old, index))
    order = sorted(range(len(part.shape)), key=lambda a: -abs(part.strides[a]))
    opened = hand.open(*(part.shape[a] for a in order))
    index = tuple(opened[order.index(a)] for a in range(len(order)))
    hand.write(out, move.back(index, hand.writer.sizes), hand.read(part, index))
    hand.close(*kinds_for(len(order)))
    return [hand.launch()]


def embed(builder: Builder, line: Line, x: Ref, shape: Shape, key: Any) -> Ref | None:
    """Zeros around an array."""
    move, origin = sliced(shape, key), builder.origin
    if 0 in (*shape, *x.shape):
        return None
    part = builder.broadcast(x, move.new)
    return builder.opaque([part], [line.targets[0].type], lambda views, outputs: placed(
        origin, None, views[0], move, outputs[0]))[0]


def put_part(builder: Builder, line: Line, x: Ref, v: Ref, key: Any) -> Ref | None:
    """Another array in the place of a part."""
    target, origin = line.targets[0].type, builder.origin
    move = sliced(target.shape, key)
    if 0 in (*target.shape, *move.new):
        return None
    v = v if v.dtype == target.dtype else builder.zip(lambda s: s, v, dtype=target.dtype)
    return builder.opaque([x, builder.broadcast(v, move.new)], [target], lambda views, outputs: placed(
        origin, views[0], views[1], move, outputs[0]))[0]


def shifted(builder: Builder, line: Line, x: Ref, axis: int, by: int) -> Ref | None:
    """The elements some places further along an axis, zeros in place of what is not there."""
    n = x.shape[axis]
    if 0 in x.shape:
        return None

    def run(context: Any) -> Scalar:
        place = list(context.place)
        place[axis] = place[axis].shifted(-by)
        at = context.writer.position(place[axis])
        return context.read(0, tuple(place), (at >= 0) & (at < n))
    return builder.map(run, x.shape, x.dtype, foreign=(x,))


def cycle(builder: Builder, line: Line, x: Ref, shift: tuple[int, ...], axis: tuple[int, ...]) -> Ref:
    """The elements some places further; what leaves at the end comes in at the front."""
    for by, a in zip(shift, axis):
        n = x.shape[a]
        start = -by % n if n else 0
        if start:
            lead = (slice(None),) * a
            halves = [sliced(x.shape, (*lead, slice(*bounds))) for bounds in ((start, n), (0, start))]
            x = concat(builder, line, *(builder.move(x, half, half.new) for half in halves), axis=a)
    return x


PLACING: dict[str, Handler] = {"embed": embed, "put_part": put_part, "shifted": shifted, "cycle": cycle}
