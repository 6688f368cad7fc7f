"""A trace is the sweep of one root taken apart: what flows along each edge, and what would flow if all gradients arrived."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.type import typeof
from chainrule.eager import EAGER

from .values import plain, used_values, value_of

Parts = tuple[Any, ...]


def parts(x: Any) -> Parts:
    """A value as a tuple of arrays: the several outputs of an operation, or the one."""
    return tuple(map(np.asarray, x)) if isinstance(x, tuple) else (np.asarray(x),)


def whole(arrays: Parts, value: Any) -> Any:
    """The arrays in the form of `value`."""
    return arrays if isinstance(value, tuple) else arrays[0]


def rule_of(x: Any, i: int) -> Any:
    return next(r for n, r in enumerate(x.prim.backward) if n == i)


class Trace:
    """The values behind `root`, oldest first, the gradient of each, and the edges between them."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.order: list[Any] = list(EAGER.history(root)[::-1])
        with np.errstate(all="ignore"):
            self.swept = EAGER.sweep(root, np.ones(root.shape, root.dtype))
        self.used = used_values(self.order)
        self.users: dict[Any, list[tuple[Any, int]]] = {}
        for x in self.order:
            for i, a in enumerate(x.sources):
                if a is not None:
                    self.users.setdefault(a, []).append((x, i))

    def value(self, x: Any) -> Any:
        """What a value was when the root was computed; a leaf may have been assigned to since."""
        return self.used.get(id(x), value_of(x))

    def way(self, x: Any) -> list[Any]:
        """The values from `x` to the root, along one path."""
        found = [x]
        while found[-1] is not self.root:
            found.append(self.users[found[-1]][-1][0])
        return found

    def gradient(self, x: Any) -> Parts | None:
        """The gradient that arrived at a value; None where none did."""
        return parts(plain(self.swept[x], x)) if x in self.swept else None

    def pulled(self, x: Any, i: int, g: Parts) -> Any:
        """What the rule of `x` makes of `g` for argument `i`; None where nothing flows."""
        a = x.sources[i]
        with under(NUMPY), np.errstate(all="ignore"):
            d = rule_of(x, i)(whole(g, x.value), x.value, *x.values, **x.params)
            return None if d is None else parts(plain(d, a))

    def contribution(self, x: Any, i: int) -> Any:
        """What the edge from `x` to its argument `i` carries."""
        g = self.gradient(x)
        return None if g is None else self.pulled(x, i, g)

    def pushed(self, x: Any, i: int, direction: Parts) -> Parts:
        """How `x` moves when its argument `i` moves in this direction."""
        tangents = [whole(direction, v) if k == i else None for k, v in enumerate(x.values)]
        with under(NUMPY), np.errstate(all="ignore"):
            return parts(x.prim.tangent(tangents, x.value, *x.values, **x.params))


def random_like(value: Any, seed: int) -> Parts:
    """Arrays without zeros, none like another, in the shapes and dtypes of `value`."""
    rng = np.random.default_rng(seed)
    return tuple(rng.uniform(0.5, 1.5, typeof(v).shape).astype(typeof(v).dtype) for v in parts(value))
