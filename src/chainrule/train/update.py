"""An update is one step of training on one batch: forward, seed, sweep, and the optimizer's step."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from chainrule.compiler.entry import compile
from chainrule.core.tree import flatten, tree_map
from chainrule.core.type import typeof
from chainrule.errors import ArgumentError, CompileWarning, StagingError
from chainrule.nn.module import Module
from chainrule.nn.utils.clipping import shrinking, with_gradients
from chainrule.ops.broadcasting import sum
from chainrule.ops.movement import stack
from chainrule.ops.power import sqrt
from chainrule.optim.optimizer import Optimizer
from chainrule.tensor import Tensor, no_grad

Loss = Callable[[Any, Any], Any]


class Gradients(NamedTuple):
    """How large the gradients were in one step: the norm for each parameter, and what clipping multiplied them by."""

    norms: np.ndarray[Any, Any]
    factor: float


class Told(NamedTuple):
    """What an update tells: the loss before it, what a recurrent model carries on, and its gradients' norms, if asked for."""

    loss: Any
    carried: Any = None
    norms: Any = None
    factor: Any = 1.0


class Launched:
    """A function that runs compiled as long as it can be, and otherwise as it is, after one notice."""

    def __init__(self, function: Callable[..., Any], *, compiled: bool) -> None:
        self.function = function
        self.run: Callable[..., Any] = compile(function) if compiled else function

    @property
    def compiled(self) -> bool:
        return self.run is not self.function

    def __call__(self, *args: Any) -> Any:
        try:
            return self.run(*args)
        except StagingError as error:
            if not self.compiled:
                raise
            warnings.warn(f"this {self.function.__name__} cannot be compiled, and runs eagerly, slower. {error}", CompileWarning,
                          stacklevel=4)
            self.run = self.function
            return self.run(*args)


def said(model: Module, x: Any, carried: Any, carry: bool) -> tuple[Any, Any]:
    """What the model says, and what it carries on, cut from the graph: a sweep goes back through this batch alone."""
    if not carry:
        return model(x), None
    y, after = model(x, carried)
    return y, tree_map(lambda t: t.detach() if isinstance(t, Tensor) else t, after)


def update_of(model: Module, loss: Loss, optimizer: Optimizer, *, carry: bool, pieces: int, max_norm: float | None, measure: bool,
              compiled: bool) -> tuple[Callable[..., Any], Launched]:
    """The function of inputs, targets, and what is carried (if anything is) that makes one update; and its compiled part.

    It tells the loss alone where nothing else is asked for: a call of compiled code costs less the less it takes and gives.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    clipped = partial(clip, parameters, max_norm) if measure or max_norm is not None else None

    def gradients(x: Any, y: Any, carried: Any = None) -> Any:
        total: Any = 0.0
        for x_piece, y_piece, share in cut(x, y, pieces):
            scores, carried = said(model, x_piece, carried, carry)
            value = loss(scores, y_piece)    # forward
            value = value if share == 1 else value * share
            value.backward()                 # the seed is 1, and the sweep carries it back
            total = value if share == 1 else total + value
        if clipped is None and not carry:
            return total.detach()
        return Told(total.detach(), carried, *(clipped() if clipped else ()))

    def training_step(x: Any, y: Any, *carried: Any) -> Any:
        told = gradients(x, y, *carried)
        optimizer.step()                     # update
        optimizer.zero_grad()
        return told

    if getattr(optimizer, "elementwise", True):
        launched = Launched(training_step, compiled=compiled)
        return launched, launched
    launched = Launched(gradients, compiled=compiled)
    return searching(launched, optimizer), launched


def searching(gradients: Callable[..., Any], optimizer: Any) -> Callable[..., Any]:
    """An update by an optimizer that looks at the loss several times in each step, such as L-BFGS."""
    def training_step(x: Any, y: Any, *carried: Any) -> Any:
        seen: list[Any] = []

        def closure() -> Any:
            optimizer.zero_grad()
            seen.append(told := gradients(x, y, *carried))
            return told.loss if isinstance(told, Told) else told
        optimizer.step(closure)
        optimizer.zero_grad()
        return seen[0]
    return training_step


def cut(x: Any, y: Any, pieces: int) -> list[tuple[Any, Any, float]]:
    """The rows of a batch in so many pieces, each with its share of the rows."""
    if pieces == 1:
        return [(x, y, 1.0)]
    n = rows_of(x)
    pieces = min(pieces, n)
    bounds = [(n * i // pieces, n * (i + 1) // pieces) for i in range(pieces)]
    return [(part(x, a, b), part(y, a, b), (b - a) / n) for a, b in bounds]


def rows_of(x: Any) -> int:
    """How many examples a batch has."""
    leaves = flatten(x)[0]
    return int(typeof(leaves[0]).shape[0]) if leaves and typeof(leaves[0]).shape else 1


def part(tree: Any, start: int, stop: int) -> Any:
    return tree_map(lambda a: a[start:stop], tree)


def clip(parameters: list[Tensor], max_norm: float | None) -> tuple[Any, Any]:
    """Scale all gradients together, so that their norm is at most `max_norm`; the norms before it, and the factor."""
    squares = [sum(p.grad * p.grad) if p.grad is not None else np.zeros((), p.dtype) for p in parameters]
    norms = sqrt(stack(*squares))
    if max_norm is None:
        return norms, 1.0
    factor = shrinking(sqrt(sum(norms * norms)), max_norm)
    for p in with_gradients(parameters):
        p.grad = p.grad * factor
    return norms, factor


def evaluation(model: Module, loss: Loss | None, *, carry: bool) -> Callable[..., tuple[Any, Any, Any]]:
    """The function of inputs, targets, and what is carried that gives scores, the loss, and what is carried on."""
    def evaluation(x: Any, y: Any, carried: Any) -> tuple[Any, Any, Any]:
        with no_grad():
            scores, carried = said(model, x, carried, carry)
            return scores, None if loss is None else loss(scores, y), carried
    return evaluation


def arrays(tree: Any) -> Any:
    """A tree of bare arrays: what is carried from call to call always comes in the same form."""
    return tree_map(np.asarray, tree)


def checked_options(pieces: int, max_norm: float | None, carry: bool) -> None:
    """Raise ArgumentError where the options of an update do not go together."""
    if not isinstance(pieces, int) or pieces < 1:
        raise ArgumentError(f"Trainer: accumulate is a whole number from 1 up, not {pieces!r}.")
    if pieces > 1 and carry:
        raise ArgumentError("Trainer: a model that carries a state from batch to batch needs whole batches; leave accumulate 1.")
    if max_norm is not None and not max_norm > 0:
        raise ArgumentError(f"Trainer: max_norm is a number above 0, not {max_norm!r}.")
