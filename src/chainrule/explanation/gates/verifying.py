"""Verifying compares the gates with what they were made from: no picture of a wrong sum shall be shown."""
from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from chainrule.eager import EAGER
from chainrule.errors import RuleError

from ..record.values import plain
from .drawing import SAME, Bundle
from .laying import Laid
from .scalars import Scalars, at, label, owner
from .wires import Wire, flows


def verify(scalars: Scalars, made: Laid) -> None:
    """Raise the error for the last value whose gradient is another in the gates than in the sweep, in float64.

    Every element of every value is compared, leaves and results. They may differ by rounding: by a thousand-millionth of the
    sizes of all paths from the loss to that element, added up.
    """
    record = scalars.record
    loss = scalars.wide[record.loss]
    with np.errstate(all="ignore"):
        swept = EAGER.sweep(loss, np.ones(loss.shape, loss.dtype))
    sizes = mass(scalars)
    for x in reversed(record.order):
        if not isinstance(scalars.elements[x], Bundle):
            continue
        gradient = plain(swept[scalars.wide[x]], scalars.wide[x]) if scalars.wide[x] in swept else np.zeros(x.shape)
        for wire, (index, expected) in gradients_of(scalars, x, gradient).items():
            found = float(made.record.swept[made.tensors[wire]]) if wire in made.tensors else 0.0
            if differ(found, expected, sizes[wire]):
                raise RuleError(
                    f"gates: the gradient in {label(record.named[id(x)], index)} is {found:.12g} in the gates, and "
                    f"{expected:.12g} in the sweep. One of these has a rule that says otherwise than its parts: "
                    f"{users(scalars, x)}.")


def gradients_of(scalars: Scalars, x: Any, gradient: Any) -> dict[Wire, tuple[tuple[int, ...], float]]:
    """The gradient that belongs to each wire that is an element of this value first; one that is several gets their sum."""
    found: dict[Wire, tuple[tuple[int, ...], float]] = {}
    for index, a in np.ndenumerate(scalars.elements[x].wires):
        if flows(a) and a.home is owner(x):
            first, so_far = found.get(a, (index, 0.0))
            found[a] = first, so_far + float(gradient[index])
    return found


def differ(found: float, expected: float, size: float) -> bool:
    if found == expected or (math.isnan(found) and math.isnan(expected)):
        return False
    return not abs(found - expected) <= SAME * max(abs(expected), size)


def mass(scalars: Scalars) -> defaultdict[Wire, float]:
    """For each wire the sizes of all paths from the loss to it, added up: what rounding is to be measured by."""
    found = defaultdict[Wire, float](float, {scalars.root: 1.0})
    for wire in reversed(scalars.pen.made):
        if found[wire]:
            for a, slope in zip(wire.args, wire.slopes()):
                if flows(a) and slope:
                    found[a] += found[wire] * abs(slope)
    return found


def users(scalars: Scalars, x: Any) -> str:
    """The operations that use a value, with their lines."""
    return ", ".join(f"{scalars.record.named[id(u)]} ({u.prim}{at(u)})"
                     for u in scalars.record.order if any(a is x for a in u.sources))
