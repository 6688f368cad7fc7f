"""Gathering reads elements where numbers say, and scattering writes them there: one after the other, so that results are the same
always."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.stage import Line

from ..loops.language import Origin
from ..plan import Step, View
from .building import Builder, Handler
from .handwork import Hand, everywhere, kinds_for, wrapped
from .nodes import Ref
from .scalars import Scalar, maximum


def get_at(builder: Builder, line: Line, x: Ref, *indices: Ref) -> Ref | None:
    """Elements at places given by numbers."""
    if 0 in x.shape:
        return None
    target, k = line.targets[0].type, len(indices)
    lead = target.ndim - (len(x.shape) - k)

    def run(context: Any, *numbers: Scalar) -> Scalar:
        places = [wrapped(i, n) for i, n in zip(numbers, x.shape)]
        return context.read(0, (*places, *context.place[lead:]))
    spread = [builder.reshape(i, (*i.shape, *[1] * (len(x.shape) - k))) for i in indices]
    return builder.map(run, target.shape, target.dtype, *spread, foreign=(x,))


# ---------------------------------------------------------------------------------------- updates
Update = Callable[[Scalar, Scalar], Scalar]


def scattered(update: Update | None) -> Handler:
    """How to build an update at places given by numbers; without `update`, the new value replaces the old one."""
    def handler(builder: Builder, line: Line, x: Ref, v: Ref, *indices: Ref) -> Ref | None:
        target = line.targets[0].type
        if 0 in target.shape:
            return None
        k, lead = len(indices), np.broadcast_shapes(*(i.shape for i in indices))
        v = v if v.dtype == target.dtype else builder.zip(lambda s: s, v, dtype=target.dtype)
        start = x.node.number if not x.node.args else None
        origin = builder.origin
        values = builder.broadcast(v, (*lead, *x.shape[k:]))

        def make(views: list[Any], outputs: list[View]) -> list[Step]:
            given = iter(views)
            old = None if start is not None else next(given)
            return scatter(origin, old if start is None else start, next(given), list(given), outputs[0], update)
        inputs = [*([x] if start is None else []), values, *(builder.broadcast(i, lead) for i in indices)]
        return builder.opaque(inputs, [target], make)[0]
    return handler


def scatter(origin: Origin, old: Any, values: View, indices: list[View], out: View, update: Update | None) -> list[Step]:
    """The array as it was (a view, or a number everywhere), then each value in its turn."""
    hand = Hand(origin)
    everywhere(hand, out, lambda index: hand.read(old, index) if isinstance(old, View) else hand.constant(old, out.dtype))
    k, lead = len(indices), len(indices[0].shape)
    turns = hand.open(*indices[0].shape)
    places = [wrapped(hand.read(i, turns), n) for i, n in zip(indices, out.shape)]
    rest = hand.open(*out.shape[k:])
    value, place = hand.read(values, (*turns, *rest)), (*places, *rest)
    if update is not None:
        value = update(hand.read(out, place), value)
    hand.write(out, place, value)
    hand.close(*kinds_for(len(rest), "serial"))
    hand.close(*["serial"] * lead)
    return [hand.launch()]


GATHERING: dict[str, Handler] = {
    "get_at": get_at, "add_at": scattered(lambda old, new: old + new), "set_at": scattered(None), "max_at": scattered(maximum),
}
