"""Gradient descent goes downhill; with momentum it keeps going the way it went."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError
from chainrule.tensor import Tensor

from .optimizer import Optimizer, State, must


class SGD(Optimizer):
    """Gradient descent: `p - lr * g`.

    With `momentum` the step is a velocity, `v = momentum * v + (1 - dampening) * g` (Polyak 1964); with `nesterov` it
    looks ahead, `g + momentum * v` (Nesterov 1983, in the form of Sutskever et al. 2013). `weight_decay` adds that much of the
    parameter to its gradient. Names, defaults and rounding order are PyTorch's.

    >>> import chainrule as cr
    >>> w = cr.tensor(1.0, requires_grad=True)
    >>> optimizer = cr.optim.SGD([w], lr=0.1)
    >>> (3.0 * w).backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    0.7
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float = 1e-3, *, momentum: float = 0.0,
                 dampening: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                      "nesterov": nesterov})

    def check(self, **options: Any) -> None:
        super().check(**options)
        must(options["momentum"] >= 0, self, "momentum", options["momentum"], "at least 0")
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ArgumentError(f"SGD: nesterov looks ahead along the momentum, so it needs momentum > 0 and dampening = 0, not "
                                f"{options['momentum']} and {options['dampening']}.")

    def initial(self, p: Array, **options: Any) -> State:
        steady = options["momentum"] and not options["dampening"]  # else the first step differs from the others
        return {"velocity": np.zeros(*typeof(p)[:2])} if steady else {}

    def update(self, p: Array, g: Array, state: State, *, lr: float, momentum: float, dampening: float,  # type: ignore[override]
               weight_decay: float, nesterov: bool) -> tuple[Array, State]:
        if weight_decay:
            g = g + weight_decay * p
        if not momentum:
            return p - lr * g, state
        v = momentum * state["velocity"] + (1 - dampening) * g if "velocity" in state else g
        return p - lr * (g + momentum * v if nesterov else v), {"velocity": v}
