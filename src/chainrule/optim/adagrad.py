"""Adagrad and its kin divide each gradient by the size of those before it, so that rarely used parameters move further."""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array
from chainrule.ops.power import sqrt

from .optimizer import Optimizer, Parameters, State, blend, is_zero, zeros


class Adagrad(Optimizer):
    """`p - lr * g / (sqrt(s) + eps)`, where `s` is the sum of all `g^2` so far, on top of `initial_accumulator_value`.

    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 2011. At step t
    the rate is `lr / (1 + (t - 1) * lr_decay)`. Names and defaults are PyTorch's.
    """

    def __init__(self, parameters: Parameters, lr: float = 1e-2, *, lr_decay: float = 0.0, weight_decay: float = 0.0,
                 initial_accumulator_value: float = 0.0, eps: float = 1e-10, maximize: bool = False) -> None:
        super().__init__(parameters, {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
                                      "initial_accumulator_value": initial_accumulator_value, "maximize": maximize})

    def initial(self, p: Array, *, initial_accumulator_value: float,  # type: ignore[override]
                **options: Any) -> State:
        return {"step": 0, "sum": zeros(p) + initial_accumulator_value}

    def rule(self, p: Array, g: Array, state: State, *, lr: float, lr_decay: float, eps: float,  # type: ignore[override]
             **options: Any) -> tuple[Array, State]:
        t, total = state["step"] + 1, state["sum"] + g * g
        return p - lr / (1 + (t - 1) * lr_decay) * (g / (sqrt(total) + eps)), {"step": t, "sum": total}


class Adadelta(Optimizer):
    """`p - lr * d` with `d = sqrt(u + eps) / sqrt(v + eps) * g`, where `v` and `u` are running means of `g^2` and of `d^2`.

    Zeiler, "ADADELTA: an adaptive learning rate method", 2012. Names and defaults are PyTorch's.
    """

    def __init__(self, parameters: Parameters, lr: float = 1.0, *, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0,
                 maximize: bool = False) -> None:
        super().__init__(parameters, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def initial(self, p: Array, **options: Any) -> State:
        return {"square": zeros(p), "moved": zeros(p)}

    def rule(self, p: Array, g: Array, state: State, *, lr: float, rho: float, eps: float,  # type: ignore[override]
             ) -> tuple[Array, State]:
        v = blend(state["square"], g * g, rho)
        d = sqrt(state["moved"] + eps) / sqrt(v + eps) * g
        return p - lr * d, {"square": v, "moved": blend(state["moved"], d * d, rho)}


class RMSprop(Optimizer):
    """`p - lr * g / (sqrt(v) + eps)`, where `v` is a running mean of `g^2`; `centered`, it is the variance of `g`.

    Hinton, "Neural networks for machine learning", lecture 6, 2012; centered: Graves, "Generating sequences with recurrent
    neural networks", 2013. With `momentum` the quotient is gathered in a velocity. Names and defaults are PyTorch's.
    """

    moving = ("lr", "momentum")

    def __init__(self, parameters: Parameters, lr: float = 1e-2, *, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False, maximize: bool = False) -> None:
        super().__init__(parameters, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum,
                                      "centered": centered, "maximize": maximize})

    def initial(self, p: Array, *, momentum: float, centered: bool,  # type: ignore[override]
                **options: Any) -> State:
        names = ["square", *["mean"] * centered, *["velocity"] * (not is_zero(momentum))]
        return {name: zeros(p) for name in names}

    def rule(self, p: Array, g: Array, state: State, *, lr: float, alpha: float, eps: float,  # type: ignore[override]
             momentum: float, centered: bool) -> tuple[Array, State]:
        new = {"square": blend(state["square"], g * g, alpha)}
        v = new["square"]
        if centered:
            new["mean"] = blend(state["mean"], g, alpha)
            v = v - new["mean"] * new["mean"]
        step = g / (sqrt(v) + eps)
        if not is_zero(momentum):
            step = new["velocity"] = momentum * state.get("velocity", 0.0) + step
        return p - lr * step, new
