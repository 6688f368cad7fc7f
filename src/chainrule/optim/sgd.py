"""Gradient descent goes downhill; with momentum it keeps going the way it went."""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array
from chainrule.errors import ArgumentError

from .optimizer import Optimizer, Parameters, State, is_zero, zeros


class SGD(Optimizer):
    """Gradient descent: `p - lr * g`.

    With `momentum` the step is a velocity, `v = momentum * v + (1 - dampening) * g` (Polyak 1964); with `nesterov` it
    looks ahead, `g + momentum * v` (Nesterov 1983, in the form of Sutskever et al. 2013). `weight_decay` adds that much of the
    parameter to its gradient; `maximize` climbs. Names, defaults and rounding order are PyTorch's.

    >>> import chainrule as cr
    >>> w = cr.tensor(1.0, requires_grad=True)
    >>> optimizer = cr.optim.SGD([w], lr=0.1)
    >>> (3.0 * w).backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    0.7
    """

    moving = ("lr", "momentum")

    def __init__(self, parameters: Parameters, lr: float = 1e-3, *, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False, maximize: bool = False) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                      "nesterov": nesterov, "maximize": maximize})

    def check(self, **options: Any) -> None:
        super().check(**options)
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ArgumentError(f"SGD: nesterov looks ahead along the momentum, so it needs momentum > 0 and dampening = 0, not "
                                f"{options['momentum']} and {options['dampening']}.")

    def initial(self, p: Array, *, momentum: float, dampening: float,  # type: ignore[override]
                **options: Any) -> State:
        steady = not is_zero(momentum) and not dampening  # else the first step differs from the others
        return {"velocity": zeros(p)} if steady else {}

    def rule(self, p: Array, g: Array, state: State, *, lr: float, momentum: float, dampening: float,  # type: ignore[override]
             nesterov: bool) -> tuple[Array, State]:
        if is_zero(momentum):
            return p - lr * g, {}
        v = momentum * state["velocity"] + (1 - dampening) * g if "velocity" in state else g
        return p - lr * (g + momentum * v if nesterov else v), {"velocity": v}
