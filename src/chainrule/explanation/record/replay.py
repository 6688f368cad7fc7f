"""A replay computes a recorded loss again, in float64, from changed leaves: what finite differences are made of."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY
from chainrule.core.reverse import Recorded
from chainrule.core.type import is_float

from .values import used_values

FLOAT64 = np.dtype("float64")
STEP = 6e-6  # about the cube root of float64's precision: the best step for a central difference
MOST_CHECKED = 32  # elements in all; each costs two passes
Found = tuple[tuple[int, ...], float, float, bool, str]  # index, gradient, difference, agrees, note


def widened(x: Any) -> Any:
    """Real numbers in float64; everything else as it is."""
    return np.asarray(x, FLOAT64) if isinstance(x, np.ndarray | np.generic) and is_float(x.dtype) else x


def widened_option(x: Any) -> Any:
    return FLOAT64 if isinstance(x, np.dtype) and is_float(x) else x


class Replay:
    """The values behind `root`, in the order in which they were computed; `values` has them by name, and the constants too."""

    def __init__(self, root: Recorded, order: list[Recorded], values: Mapping[str, Any]) -> None:
        self.root, self.order, self.values = root, order, values
        used = used_values(order)
        self.start = {x: widened(used.get(id(x), x.value)) for x in order if x.prim is None}  # a leaf may be assigned to, later
        self.passes = self.operations = 0

    def __call__(self, changed: Mapping[Recorded, Any] | None = None) -> float:
        """The loss, with some values replaced, computed ones too."""
        changed = changed or {}
        known: dict[Recorded, Any] = {}
        with np.errstate(all="ignore"):
            for x in self.order:
                if x in changed or x.prim is None:
                    known[x] = changed[x] if x in changed else self.start[x]
                    continue
                args = tuple(known[a] if isinstance(a, Recorded) and a in known else widened(v) for a, v in zip(x.args, x.values))
                known[x] = NUMPY.apply(x.prim, args, {k: widened_option(v) for k, v in x.params.items()})
                self.operations += 1
        self.passes += 1
        return float(np.asarray(known[self.root]).reshape(()))

    def value(self, x: Recorded) -> Any:
        return self.start[x] if x in self.start else widened(x.value)

    def nudged(self, leaf: Recorded, index: tuple[int, ...], step: float) -> float:
        value = np.array(self.value(leaf))
        with np.errstate(invalid="ignore"):
            value[index] += step
        return self({leaf: value})

    def check(self, leaf: Recorded, gradient: Any, share: int = 1) -> Iterator[Found]:
        """The gradient's largest elements, or all where they are few, each beside a central difference."""
        g = np.asarray(gradient)
        most = max(1, MOST_CHECKED // share)
        chosen = range(g.size) if g.size <= most else np.sort(np.argsort(-np.abs(g), axis=None, kind="stable")[:most])
        scale = float(np.max(np.abs(g), initial=0.0))
        for flat in chosen:
            index = tuple(int(i) for i in np.unravel_index(int(flat), g.shape))
            yield (index, float(g[index]), *self.compared(leaf, index, float(g[index]), scale, self.tolerance()))

    def tolerance(self) -> float:
        """How exactly a gradient can agree: it was computed in the least precise dtype of the record."""
        dtypes = {np.asarray(x.value).dtype for x in self.order if not isinstance(x.value, tuple)}
        return 2e-5 if all(np.finfo(d).precision > 10 for d in dtypes if is_float(d)) else 1e-3

    def compared(self, leaf: Recorded, index: tuple[int, ...], gradient: float, scale: float,
                 tolerance: float) -> tuple[float, bool, str]:
        step = STEP * max(1.0, abs(float(np.asarray(self.value(leaf))[index])))
        right, left = self.nudged(leaf, index, step), self.nudged(leaf, index, -step)
        with np.errstate(invalid="ignore"):
            difference = (right - left) / (2 * step)
        margin = tolerance * max(scale, abs(difference)) + 1e-9 * max(1.0, abs(right))
        if not np.isfinite(difference):
            return difference, bool(np.isnan(gradient)), "the loss is not finite here, or beside"
        if abs(difference - gradient) <= margin:
            return difference, True, ""
        middle = self.nudged(leaf, index, 0.0)
        slopes = sorted(((middle - left) / step, (right - middle) / step))
        if slopes[0] - margin <= gradient <= slopes[1] + margin:
            return difference, True, f"a kink: between the slopes {slopes[0]:.4g} and {slopes[1]:.4g}"
        closer = self.nudged(leaf, index, step / 10) - self.nudged(leaf, index, -step / 10)
        jumps = abs(closer) > 0.5 * abs(right - left)  # a tenth of the way, and most of the difference is still there
        return difference, False, "a jump: no slope here" if jumps else "differs"
