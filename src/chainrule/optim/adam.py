"""Adam divides each parameter's average gradient by its typical size, so that all move at a similar pace."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.core.type import Array, typeof
from chainrule.ops.power import sqrt
from chainrule.tensor import Tensor

from .optimizer import Optimizer, State, must


class Adam(Optimizer):
    """Adaptive moments: `p - lr * m / (sqrt(v) + eps)`, where `m` and `v` are running means of `g` and `g^2`, corrected for
    having started at 0.

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015. `weight_decay` adds that much of the parameter to
    its gradient. Names, defaults and rounding order are PyTorch's.
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float = 1e-3, *,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def check(self, **options: Any) -> None:
        super().check(**options)
        must(options["eps"] >= 0, self, "eps", options["eps"], "at least 0")
        must(all(0 <= b < 1 for b in options["betas"]), self, "betas", options["betas"], "two numbers from 0 to below 1")

    def initial(self, p: Array, **options: Any) -> State:
        return {"step": 0, "mean": np.zeros(*typeof(p)[:2]), "square": np.zeros(*typeof(p)[:2])}

    def update(self, p: Array, g: Array, state: State, *, lr: float, betas: tuple[float, float],  # type: ignore[override]
               eps: float, weight_decay: float) -> tuple[Array, State]:
        if weight_decay:
            g = g + weight_decay * p
        beta1, beta2 = betas
        state = state or self.initial(p)
        t = state["step"] + 1
        m = beta1 * state["mean"] + (1 - beta1) * g
        v = beta2 * state["square"] + (1 - beta2) * (g * g)
        size = sqrt(v) * (1 - beta2 ** t) ** -0.5 + eps
        return p - lr / (1 - beta1 ** t) * (m / size), {"step": t, "mean": m, "square": v}


class AdamW(Adam):
    """Adam with the weight decay applied to the parameter itself: `p * (1 - lr * weight_decay)`, then Adam's step.

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float = 1e-3, *,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-2) -> None:
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, p: Array, g: Array, state: State, *, weight_decay: float,  # type: ignore[override]
               **options: Any) -> tuple[Array, State]:
        return super().update(p * (1 - options["lr"] * weight_decay), g, state, weight_decay=0.0, **options)
