"""Cumulating folds an array along an axis and keeps every step: one step after the other, all rows side by side."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.stage import Line

from ..loops.language import Origin
from ..plan import Step, View
from .affine import ZERO, Affine
from .building import Builder, Handler
from .elementwise import logaddexp
from .handwork import Hand
from .nodes import Ref
from .reductions import cast
from .scalars import Scalar, isnan

Follow = Callable[..., Scalar]
"""`(value before, *elements here)` -> the value here."""


def cumulated(first: Follow, follow: Follow) -> Handler:
    """How to build a fold that keeps its steps; `first(*elements)` is the first of them."""
    def handler(builder: Builder, line: Line, *args: Ref, axis: int, reverse: bool = False) -> Ref | None:
        target, origin = line.targets[0].type, builder.origin
        if 0 in target.shape:
            return None
        inputs = [cast(builder, x, target.dtype) for x in args]
        return builder.opaque(inputs, [target], lambda views, outputs: stepwise(
            origin, views, outputs[0], axis, first, follow, reverse=reverse))[0]
    return handler


def stepwise(origin: Origin, views: list[View], out: View, axis: int, first: Follow, follow: Follow, *,
             reverse: bool) -> list[Step]:
    """Loops over the other axes, outside of the steps but for the innermost, which is for lanes."""
    hand, n = Hand(origin), out.shape[axis]
    others = sorted((a for a in range(len(out.shape)) if a != axis), key=lambda a: -out.strides[a])
    inner = others[-1:] if others and out.strides[others[-1]] < out.strides[axis] else []
    outer = others[:len(others) - len(inner)]
    place: dict[int, Affine] = dict(zip(outer, hand.open(*(out.shape[a] for a in outer))))

    def row(step: Affine, value: Callable[[tuple[Affine, ...]], Scalar]) -> None:
        lanes = dict(zip(inner, hand.open(*(out.shape[a] for a in inner))))
        at = {**place, **lanes, axis: step.scaled(-1).shifted(n - 1) if reverse else step}
        index = tuple(at[a] for a in range(len(out.shape)))
        hand.write(out, index, value(index))
        hand.close(*["vector"] * len(inner))

    def here(index: tuple[Affine, ...]) -> list[Scalar]:
        return [hand.read(view, index) for view in views]

    def before(index: tuple[Affine, ...]) -> Scalar:
        return hand.read(out, (*index[:axis], index[axis].shifted(1 if reverse else -1), *index[axis + 1:]))
    row(ZERO, lambda index: first(*here(index)))
    if n > 1:
        step, = hand.open(n - 1)
        row(step.shifted(1), lambda index: follow(before(index), *here(index)))
        hand.close("serial")
    hand.close(*["parallel"] * len(outer))
    return [hand.launch()]


# ---------------------------------------------------------------------------------------- the greatest and the least
def place_of_extreme(combine: Any) -> Handler:
    """How to build the place of the greatest or the least element along an axis, the first of equal ones, or of NaNs."""
    def handler(builder: Builder, line: Line, x: Ref, axis: int | None, keepdims: bool) -> Ref:
        target = line.targets[0].type
        row = builder.reshape(x, (int(np.prod(x.shape)),)) if axis is None else x
        a = 0 if axis is None else axis
        n = row.shape[a]
        top = builder.reduce(row, (a,), combine)

        def run(context: Any, value: Scalar, extreme: Scalar) -> Scalar:
            chosen = value.equals(extreme)
            if value.dtype.kind == "f":
                chosen = chosen | isnan(value)
            return chosen.chosen(context.position(a), n)
        places = builder.map(run, row.shape, np.int64, row, top)
        return cast(builder, builder.reshape(builder.reduce(places, (a,), "min"), target.shape), target.dtype)
    return handler


CUMULATING: dict[str, Handler] = {
    "cumsum": cumulated(lambda x: x, lambda before, x: before + x),
    "cumprod": cumulated(lambda x: x, lambda before, x: before * x),
    "logcumsumexp": cumulated(lambda x: x, logaddexp),
    "linear_recurrence": cumulated(lambda a, b: b, lambda before, a, b: a * before + b),
    "argmax": place_of_extreme("max"), "argmin": place_of_extreme("min"),
}
