"""Lion moves every parameter by the same distance: only the sign of an average gradient counts."""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array
from chainrule.ops.arithmetic import sign

from .optimizer import Optimizer, Parameters, State, blend, zeros


class Lion(Optimizer):
    """Evolved sign momentum: `p * (1 - lr * weight_decay) - lr * sign(beta1 * m + (1 - beta1) * g)`, then
    `m = beta2 * m + (1 - beta2) * g`.

    Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2. Its authors advise a rate three to
    ten times smaller than Adam's, and a weight decay as much larger.
    """

    moving = ("lr", "betas")

    def __init__(self, parameters: Parameters, lr: float = 1e-4, *, betas: tuple[float, float] = (0.9, 0.99),
                 weight_decay: float = 0.0, maximize: bool = False) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize,
                                      "decoupled_weight_decay": True})

    def initial(self, p: Array, **options: Any) -> State:
        return {"mean": zeros(p)}

    def rule(self, p: Array, g: Array, state: State, *, lr: float,  # type: ignore[override]
             betas: tuple[float, float]) -> tuple[Array, State]:
        return p - lr * sign(blend(state["mean"], g, betas[0])), {"mean": blend(state["mean"], g, betas[1])}
