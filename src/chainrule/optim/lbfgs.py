"""L-BFGS goes where a quadratic model of the loss has its minimum; the model is made of the last steps and gradients."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core import interpreter
from chainrule.core.interpreter import now
from chainrule.core.type import Array
from chainrule.errors import ArgumentError, GradientError, StagingError

from .line_search import Trial, strong_wolfe
from .optimizer import Optimizer, Parameters, State

Vector = np.ndarray[Any, Any]
CURVED = 1e-10  # a step along which the gradient grew less says nothing of the curvature


class LBFGS(Optimizer):
    """Limited-memory BFGS: `step(closure)` makes up to `max_iter` steps, and looks at the loss up to `max_eval` times.

    Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989; Nocedal and Wright, "Numerical
    optimization", algorithms 7.4 and 7.5. The last `history_size` steps are remembered. `line_search_fn="strong_wolfe"` looks for
    the length of each step; without it all but the first are `lr` times the direction. A call ends when no gradient is above
    `tolerance_grad`, or steps or losses change by less than `tolerance_change`. All parameters are one group. Names, defaults
    and the order of decisions are PyTorch's.

    The closure forgets the gradients, computes the loss, sweeps, and returns the loss. It may be compiled; the step itself
    branches on numbers, and cannot be.

    >>> import chainrule as cr
    >>> w = cr.tensor([-1.2, 1.0], dtype="float64", requires_grad=True)
    >>> optimizer = cr.optim.LBFGS([w], max_iter=100, line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2
    ...     loss.backward()
    ...     return loss
    >>> before = optimizer.step(closure)
    >>> [round(value, 3) for value in w.tolist()]
    [1.0, 1.0]
    """

    elementwise = False

    def __init__(self, parameters: Parameters, lr: float = 1.0, *, max_iter: int = 20, max_eval: int | None = None,
                 tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None) -> None:
        super().__init__(parameters, {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn})

    def add_param_group(self, group: dict[str, Any]) -> None:
        if self.param_groups:
            raise ArgumentError("LBFGS: all parameters make one step together, so there is one group. Give model.parameters().")
        super().add_param_group(group)

    def initial(self, p: Array, **options: Any) -> State:
        return {"n_iter": 0, "func_evals": 0}

    # ---------------------------------------------------------------- a step
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move the parameters; the loss in the beginning comes back. Raises ArgumentError without a closure, GradientError where
        it does not sweep, and StagingError where the step is being compiled."""
        if closure is None:
            raise ArgumentError("LBFGS.step: the loss is computed several times, so a closure is needed: a function that calls "
                                "zero_grad(), computes the loss, calls its backward() and returns it.")
        if now() is not interpreter.ground:
            raise StagingError("LBFGS.step branches on losses and slopes, so it cannot be compiled. Compile the closure that it "
                               "is given: it does nearly all of the work.")
        group = self.param_groups[0]
        memory = self.state_of(group["params"][0])
        first, g = self.evaluated(closure, memory)
        loss, before = float(first), memory["func_evals"] - 1
        for left in reversed(range(group["max_iter"])):
            if self.flat_enough(g):
                break
            d = memory["direction"] = self.direction(g, memory, group["history_size"])
            slope, memory["gradient"] = float(g @ d), g
            memory["length"] = group["lr"] * (min(1.0, 1.0 / float(np.abs(g).sum())) if memory["n_iter"] == 1 else 1.0)
            if slope > -group["tolerance_change"]:
                break
            start = Trial(0.0, loss, g, slope)
            evaluations = group["max_eval"] - (memory["func_evals"] - before)
            loss, g = self.moved(closure, memory, start, evaluations, last=not left)
            small = float(np.abs(d * memory["length"]).max()) <= group["tolerance_change"]
            if (memory["func_evals"] - before >= group["max_eval"] or small
                    or abs(loss - start.loss) < group["tolerance_change"]):
                break
        return first

    def evaluated(self, closure: Callable[[], Any], memory: State) -> tuple[Any, Vector]:
        """The loss, and the gradient of all parameters as one vector."""
        loss, params = closure(), self.param_groups[0]["params"]
        memory["func_evals"] += 1
        gradients = [p.grad for p in params]
        if all(g is None for g in gradients):
            raise GradientError("LBFGS.step: the closure left none of the parameters with a gradient. Call loss.backward() in it "
                                "on a loss computed from these very tensors.")
        return loss, np.concatenate([np.zeros(p.size, p.dtype) if g is None else g.numpy().ravel()
                                     for p, g in zip(params, gradients)])

    def flat_enough(self, g: Vector) -> bool:
        return bool(np.abs(g).max() <= self.param_groups[0]["tolerance_grad"])

    def moved(self, closure: Callable[[], Any], memory: State, start: Trial, most: int, *, last: bool) -> tuple[float, Vector]:
        """The loss and the gradient after a step along the direction, whose length goes into the memory."""
        group, d = self.param_groups[0], memory["direction"]
        origin = [p.value for p in group["params"]]

        def attempt(length: float) -> Trial:
            self.place(origin, length * d)
            loss, g = self.evaluated(closure, memory)
            return Trial(length, float(loss), g, float(g @ d))

        if group["line_search_fn"]:
            narrow = group["tolerance_change"] / float(np.abs(d).max())
            trial = strong_wolfe(attempt, start, memory["length"], most, narrow)
            memory["length"] = trial.length
            self.place(origin, trial.length * d)
            return trial.loss, trial.gradient
        if last:  # a gradient there would be computed for nothing, and again in the next call
            self.place(origin, memory["length"] * d)
            return start.loss, start.gradient
        return attempt(memory["length"])[1:3]

    def place(self, origin: list[Any], step: Vector) -> None:
        """Move the parameters to where they were plus `step`."""
        params = self.param_groups[0]["params"]
        pieces = np.split(step, np.cumsum([p.size for p in params])[:-1])
        for p, value, piece in zip(params, origin, pieces):
            p.data = value + piece.reshape(p.shape)

    # ---------------------------------------------------------------- the model
    def direction(self, g: Vector, memory: State, most: int) -> Vector:
        """The step to the model's minimum, where the last step has been added to the model."""
        memory["n_iter"] += 1
        if memory["n_iter"] == 1:
            nothing = np.zeros((0, g.size), g.dtype)
            memory |= {"steps": nothing, "changes": nothing, "curvatures": np.zeros(0, g.dtype), "scale": 1.0}
            return -g
        s, y = memory["direction"] * memory["length"], g - memory["gradient"]
        curvature = y @ s
        if curvature > CURVED:
            for name, new in (("steps", s), ("changes", y), ("curvatures", curvature)):
                memory[name] = np.concatenate([memory[name][-most + 1 or most:], np.asarray(new, g.dtype)[None]])
            memory["scale"] = float(curvature / (y @ y))
        return two_loops(-g, memory["steps"], memory["changes"], memory["curvatures"], memory["scale"])


def two_loops(q: Vector, steps: Vector, changes: Vector, curvatures: Vector, scale: float) -> Vector:
    """The inverse of the model's Hessian times a vector (Nocedal and Wright, algorithm 7.4)."""
    weights = np.zeros(len(steps), q.dtype)
    for i in reversed(range(len(steps))):
        weights[i] = steps[i] @ q / curvatures[i]
        q = q - weights[i] * changes[i]
    r: Vector = q * q.dtype.type(scale)
    for i in range(len(steps)):
        r = r + (weights[i] - changes[i] @ r / curvatures[i]) * steps[i]
    return r
