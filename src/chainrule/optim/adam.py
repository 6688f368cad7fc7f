"""Adam and its kin divide each parameter's average gradient by its typical size, so that all move at a similar pace."""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array
from chainrule.ops.arithmetic import abs
from chainrule.ops.choice import maximum, where
from chainrule.ops.power import sqrt

from .optimizer import Optimizer, Parameters, State, blend, zeros

TINY = 1e-30  # nothing, beside any number that counts


class Adam(Optimizer):
    """Adaptive moments: `p - lr * m / (sqrt(v) + eps)`, where `m` and `v` are running means of `g` and `g^2`, corrected for
    having started at 0.

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015. With `amsgrad` the largest `v` so far counts (Reddi,
    Kale and Kumar, "On the convergence of Adam and beyond", ICLR 2018). `weight_decay` adds that much of the parameter to
    its gradient, or, decoupled, shrinks the parameter. Names, defaults and rounding order are PyTorch's.
    """

    moving = ("lr", "betas")

    def __init__(self, parameters: Parameters, lr: float = 1e-3, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, amsgrad: bool = False, maximize: bool = False,
                 decoupled_weight_decay: bool = False) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
                                      "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay})

    def initial(self, p: Array, *, amsgrad: bool, **options: Any) -> State:  # type: ignore[override]
        return {"step": 0, "mean": zeros(p), "square": zeros(p)} | ({"largest": zeros(p)} if amsgrad else {})

    def rule(self, p: Array, g: Array, state: State, *, lr: float, betas: tuple[float, float], eps: float,  # type: ignore[override]
             amsgrad: bool) -> tuple[Array, State]:
        beta1, beta2 = betas
        t = state["step"] + 1
        m, v = blend(state["mean"], g, beta1), blend(state["square"], g * g, beta2)
        new = {"step": t, "mean": m, "square": v}
        if amsgrad:
            v = new["largest"] = maximum(state["largest"], v)
        size = sqrt(v) * (1 - beta2 ** t) ** -0.5 + eps
        return p - lr / (1 - beta1 ** t) * (m / size), new


class AdamW(Adam):
    """Adam with the weight decay applied to the parameter itself: `p * (1 - lr * weight_decay)`, then Adam's step.

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    def __init__(self, parameters: Parameters, lr: float = 1e-3, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, maximize: bool = False) -> None:
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize,
                         decoupled_weight_decay=True)


class Adamax(Optimizer):
    """Adam with the largest gradient, slowly forgotten, as the typical size: `u = max(beta2 * u, |g| + eps)`.

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 7.1. Names and defaults are PyTorch's.
    """

    moving = ("lr", "betas")

    def __init__(self, parameters: Parameters, lr: float = 2e-3, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, maximize: bool = False) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def initial(self, p: Array, **options: Any) -> State:
        return {"step": 0, "mean": zeros(p), "largest": zeros(p)}

    def rule(self, p: Array, g: Array, state: State, *, lr: float, betas: tuple[float, float],  # type: ignore[override]
             eps: float) -> tuple[Array, State]:
        beta1, beta2 = betas
        t = state["step"] + 1
        m, u = blend(state["mean"], g, beta1), maximum(beta2 * state["largest"], abs(g) + eps)
        return p - lr / (1 - beta1 ** t) * (m / u), {"step": t, "mean": m, "largest": u}


class NAdam(Optimizer):
    """Adam that looks ahead, as Nesterov's momentum does, with a momentum that grows to `beta1`.

    Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016: at step t the momentum is
    `beta1 * (1 - 0.5 * 0.96^(t * momentum_decay))`. Names and defaults are PyTorch's.
    """

    moving = ("lr", "betas")

    def __init__(self, parameters: Parameters, lr: float = 2e-3, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False,
                 maximize: bool = False) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                                      "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay})

    def initial(self, p: Array, **options: Any) -> State:
        return {"step": 0, "mean": zeros(p), "square": zeros(p), "product": 1.0}

    def rule(self, p: Array, g: Array, state: State, *, lr: float, betas: tuple[float, float], eps: float,  # type: ignore[override]
             momentum_decay: float) -> tuple[Array, State]:
        beta1, beta2 = betas
        t = state["step"] + 1
        now, later = (beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay)) for step in (t, t + 1))
        product = state["product"] * now
        m, v = blend(state["mean"], g, beta1), blend(state["square"], g * g, beta2)
        size = sqrt(v) * (1 - beta2 ** t) ** -0.5 + eps
        ahead = (1 - now) / (1 - product) * g + later / (1 - product * later) * m
        return p - lr * (ahead / size), {"step": t, "mean": m, "square": v, "product": product}


class RAdam(Optimizer):
    """Adam that divides by the typical size only when enough gradients have been seen to know it.

    Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020. Names and defaults are PyTorch's.
    """

    moving = ("lr", "betas")

    def __init__(self, parameters: Parameters, lr: float = 1e-3, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, decoupled_weight_decay: bool = False, maximize: bool = False) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                                      "decoupled_weight_decay": decoupled_weight_decay})

    def initial(self, p: Array, **options: Any) -> State:
        return {"step": 0, "mean": zeros(p), "square": zeros(p)}

    def rule(self, p: Array, g: Array, state: State, *, lr: float, betas: tuple[float, float],  # type: ignore[override]
             eps: float) -> tuple[Array, State]:
        beta1, beta2 = betas
        t = state["step"] + 1
        m, v = blend(state["mean"], g, beta1), blend(state["square"], g * g, beta2)
        most, unbiased = 2 / (1 - beta2) - 1, 1 - beta2 ** t
        seen = most - 2 * t * beta2 ** t / unbiased  # about how many gradients `v` is the mean of
        above, below = (seen - 4) * (seen - 2) * most * unbiased, (most - 4) * (most - 2) * seen
        # the root of a quotient that is negative, or one by 0, where it is not used
        known = m * (above ** 2 / (below ** 2 + TINY)) ** 0.25 / (sqrt(v) + eps)
        return p - lr / (1 - beta1 ** t) * where(seen > 5, known, m), {"step": t, "mean": m, "square": v}
