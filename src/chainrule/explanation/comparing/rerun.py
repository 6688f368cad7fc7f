"""A rerun computes a recorded loss and all its gradients again, in float64, with some values set to others."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.forward import Dual, Forward
from chainrule.core.interpreter import NUMPY, under
from chainrule.core.reverse import Recorded, Reverse, pick
from chainrule.ops.arithmetic import add, subtract

from ..record.replay import FLOAT64, Replay, widened, widened_option


@dataclass(frozen=True)
class Moving:
    """A number that was computed, and how fast it moves in the direction of the change (None: it stands still)."""

    value: Any
    speed: Any = None


@dataclass(frozen=True)
class Rerun:
    """What came out: the values, by id of what was recorded; the gradients in them; and the switches (see `switches`)."""

    values: dict[int, Moving]
    gradients: dict[int, Moving]
    switches: dict[int, Any]


SWITCHES = ("relu", "relu6", "leaky_relu", "prelu", "threshold", "hardtanh", "hardsigmoid", "abs", "maximum", "minimum", "fmax",
            "fmin", "clip", "max", "min", "max_windows")
"""Operations made of straight pieces: what differs between the pieces is the slope in the first argument."""


class Rerunning:
    """One computation of a record under reverse mode over forward mode.

    `set` holds new values, by id of what was recorded. `directions` holds the tangents of the values that move. A result that is
    set keeps its history: it is what was computed, shifted by a constant, so that gradients flow on to what is behind it.
    """

    def __init__(self, replay: Replay, set: Mapping[int, Any], directions: Mapping[int, Any]) -> None:
        self.replay, self.set, self.directions = replay, set, directions
        self.forward = Forward(NUMPY)
        self.tape = Reverse(self.forward)
        self.known: dict[int, Any] = {}

    def run(self) -> Rerun:
        root = self.replay.root
        with under(self.tape), np.errstate(all="ignore"):
            for x in self.replay.order:
                self.known[id(x)] = self.made(x)
            swept = self.tape.sweep(self.known[id(root)], np.ones(root.shape, FLOAT64))
            switches = {id(x): self.slope(x) for x in self.replay.order if x.prim and x.prim.name in SWITCHES}
        single = {key: box for key, box in self.known.items() if not isinstance(box, tuple)}
        return Rerun({key: moving(box.value) for key, box in single.items()},
                     {key: moving(swept[box]) for key, box in single.items() if box in swept}, switches)

    def made(self, x: Recorded) -> Any:
        """The value of `x` once more, as the tape records it."""
        if x.prim is None:
            return Recorded(self.tape, self.start(x, self.replay.value(x)))
        if x.prim is pick:
            out = self.known[id(x.args[0])][x.params["index"]]
        else:
            args = tuple(self.known[id(a)] if id(a) in self.known else self.start(a, v) for a, v in zip(x.args, x.values))
            out = self.tape.apply(x.prim, args, {k: widened_option(v) for k, v in x.params.items()})
        return self.shifted(x, out) if id(x) in self.set or id(x) in self.directions else out

    def start(self, x: Any, value: Any) -> Any:
        """A value that is given, not computed."""
        value = self.set.get(id(x), widened(value))
        return Dual(self.forward, value, self.directions[id(x)]) if id(x) in self.directions else value

    def shifted(self, x: Recorded, out: Recorded) -> Recorded:
        """The result `out`, moved to where it is set."""
        with under(self.forward):
            goal = self.start(x, moving(out.value).value)
            shift = subtract(goal, out.value)
        return Recorded(self.tape, goal, add, (out, shift), (out, None), (out.value, shift))

    def slope(self, x: Recorded) -> Any:
        """What the slope of a switch in its first argument is, element by element: it tells on which piece the element is."""
        box = self.known[id(x)]
        box = box.args[0] if id(x) in self.set or id(x) in self.directions else box
        rule, y = box.prim.backward[0], moving(box.value).value
        with under(NUMPY):
            return np.asarray(rule(np.ones_like(y), y, *(moving(v).value for v in box.values), **box.params))


def moving(x: Any) -> Moving:
    return Moving(x.value, x.tangent) if isinstance(x, Dual) else Moving(x)
