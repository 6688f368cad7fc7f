"""An optimizer holds parameters, and what its update rule remembers of each."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from chainrule.core.interpreter import now
from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError, GradientError
from chainrule.tensor import Tensor

State = dict[str, Any]
"""What a rule remembers of one parameter between steps: arrays of its shape and numbers, by name; empty before the first."""
Parameters = Iterable[Tensor] | Iterable[dict[str, Any]]
BOUNDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("lr", "weight_decay", "momentum", "eps", "lr_decay", "initial_accumulator_value", "momentum_decay",
                     "tolerance_grad", "tolerance_change"), (lambda v: v >= 0, "at least 0")),
    **dict.fromkeys(("alpha", "rho"), (lambda v: 0 <= v <= 1, "a number from 0 to 1")),
    **dict.fromkeys(("max_iter", "max_eval", "history_size"), (lambda v: v >= 1 and v == int(v), "a whole number from 1 on")),
    "betas": (lambda v: len(v) == 2 and all(0 <= b < 1 for b in v), "two numbers from 0 to below 1"),
    "line_search_fn": (lambda v: v in (None, "strong_wolfe"), "None or 'strong_wolfe'"),
}
"""What the options accept, whichever rule has them."""


class Optimizer:
    """The part that all update rules share; a rule is a subclass with one pure function, `rule`.

    `parameters` are tensors that require gradients, or groups of them: dicts with "params" and options of their own. Values are
    immutable, so a step gives each tensor a new array; what was computed from the old one keeps it.
    """

    moving: ClassVar[tuple[str, ...]] = ("lr",)
    """The options that may change at each step, so that a compiled step takes them as numbers from outside."""
    elementwise: ClassVar[bool] = True  # whether the arrays remembered of a parameter have its shape

    def __init__(self, parameters: Parameters, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: dict[Tensor, State] = {}
        self.param_groups: list[dict[str, Any]] = []
        self.schedules: list[Any] = []  # which together say what `lr` is; see lr_scheduler.py
        given: list[Any] = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        if not given:
            raise ArgumentError(f"{type(self).__name__}: there are no parameters to train. Give model.parameters(), or a list of "
                                "tensors made with requires_grad=True.")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    # ---------------------------------------------------------------- the rule
    def update(self, p: Array, g: Array, state: State, *, maximize: bool = False, weight_decay: float = 0.0,
               decoupled_weight_decay: bool = False, **options: Any) -> tuple[Array, State]:
        """The parameter after one step, and what to remember. Pure, and in the engine's words: it never changes its arguments.

        `maximize` climbs instead. `weight_decay` adds that much of the parameter to its gradient; decoupled, it shrinks the
        parameter by `lr * weight_decay` (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019).
        """
        if maximize:
            g = -g
        if weight_decay and decoupled_weight_decay:
            p = p * (1 - options["lr"] * weight_decay)
        elif weight_decay:
            g = g + weight_decay * p
        return self.rule(p, g, state or self.initial(p, **options), **options)

    def rule(self, p: Array, g: Array, state: State, **options: Any) -> tuple[Array, State]:
        """What distinguishes this optimizer from others, as a function like `update`."""
        raise NotImplementedError

    def initial(self, p: Array, **options: Any) -> State:
        """What is remembered of a parameter before its first step, if that is always the same set of arrays."""
        return {}

    def check(self, **options: Any) -> None:
        """Raise ArgumentError where an option is outside what the rule accepts."""
        for name, value in options.items():
            fits, bound = BOUNDS.get(name, (lambda v: True, ""))
            try:
                holds = fits(value)
            except TypeError:  # a value of another kind
                holds = False
            if not holds:
                raise ArgumentError(f"{type(self).__name__}: {name} is {bound}, not {value!r}.")

    # ---------------------------------------------------------------- parameters, and a step of all
    def add_param_group(self, group: dict[str, Any]) -> None:
        """Train these parameters too, with the options given in `group`; the others are the optimizer's own."""
        unknown = set(group) - {"params", *self.defaults}
        if "params" not in group or unknown:
            raise ArgumentError(f"{type(self).__name__}: a group is a dict with 'params' and any of {', '.join(self.defaults)}; "
                                f"this one has {', '.join(map(repr, group)) or 'nothing'}.")
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        known = {p for other in self.param_groups for p in other["params"]}
        for p in params:
            if not isinstance(p, Tensor) or not p.requires_grad or not p.is_leaf:
                what = p.label if isinstance(p, Tensor) else f"a {type(p).__name__}"
                raise ArgumentError(f"{type(self).__name__}: {what} cannot be trained: a parameter is a tensor made with "
                                    "requires_grad=True. Give model.parameters().")
            if p in known:
                raise ArgumentError(f"{type(self).__name__}: {p.label} was given twice, and would be moved twice in each step.")
            known.add(p)
        options = {name: group.get(name, default) for name, default in self.defaults.items()}
        options = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
        self.check(**options)
        self.param_groups.append({"params": params, **options})

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        """The options of a group, without what else is kept in it."""
        return {name: group[name] for name in self.defaults}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; a closure, if given, computes loss and gradients first, and its loss comes
        back. Raises GradientError where no parameter has a gradient: a sweep was forgotten."""
        loss = closure() if closure else None
        moved = False
        now().meet(self)
        for group in self.param_groups:
            options = self.options(group)
            for p in group["params"]:
                g = p.grad
                if g is not None:
                    state = self.state_of(p, **options)
                    p.data, new = self.update(p.value, g.value if isinstance(g, Tensor) else g, state, **options)
                    state.update(new)
                    moved = True
        if not moved:
            raise GradientError(f"{type(self).__name__}.step: none of the parameters has a gradient. Call loss.backward() first, "
                                "on a loss computed from these very tensors.")
        return loss

    def zero_grad(self) -> None:
        """Forget the gradients: without this, the next sweep adds to them."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    # ---------------------------------------------------------------- what a compiled step takes from outside
    def state_of(self, p: Tensor, **options: Any) -> State:
        """What is remembered of a parameter: one dict for good, whose entries the steps replace."""
        if p not in self.state:
            self.state[p] = self.initial(p, **options)
        return self.state[p]

    def cells(self) -> Iterator[tuple[Any, Any]]:
        """Every number that changes between steps while the program stays the same: the container it is in, and its key there.

        A pair of numbers is kept as a list, whose entries change one by one. A number other than `lr` that is 0 switches its part
        of the rule off, and so belongs to the settings.
        """
        for group in self.param_groups:
            for name in self.moving:
                value = group[name] = settled(group[name])
                if isinstance(value, list):
                    yield from ((value, i) for i in range(len(value)))
                elif name == "lr" or not is_zero(value):
                    yield group, name
            for p in group["params"]:
                state = self.state_of(p, **self.options(group))
                yield from ((state, name) for name in state)

    def settings(self) -> list[dict[str, Any]]:
        """What a step depends on besides: the groups, with their options."""
        return self.param_groups

    # ---------------------------------------------------------------- to go on later
    def state_dict(self) -> dict[str, Any]:
        """What is remembered of each parameter, by its number, and the groups' options: to go on from here later.

        The state is made of arrays and of Python numbers; all else can be written as JSON.
        """
        numbers = {p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [{name: list(value) if isinstance(value, list) else value for name, value in group.items()}
                  | {"params": [numbers[p] for p in group["params"]]} for group in self.param_groups]
        state = {numbers[p]: {name: np.asarray(v) if isinstance(v, np.generic) else v for name, v in s.items()}
                 for p, s in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict()` of an optimizer with the same groups, bit for bit; it may have been written as JSON in
        between, with the arrays beside it. Raises ArgumentError where it does not fit."""
        groups, parameters = state["param_groups"], [p for group in self.param_groups for p in group["params"]]
        remembered = {int(number): values for number, values in state["state"].items()}
        self.must_fit(groups, remembered, parameters)
        for own, loaded in zip(self.param_groups, groups):
            for name, value in loaded.items():
                if name != "params" and isinstance(own.get(name), list):
                    own[name][:] = settled(tuple(value))  # a compiled step has hold of the list
                elif name != "params":
                    own[name] = tuple(value) if isinstance(value, list) else value
        numbers = {p: i for i, p in enumerate(parameters)}
        for group in self.param_groups:
            for p in group["params"]:
                if numbers[p] in remembered or p in self.state:
                    fresh, own_state = self.initial(p.value, **self.options(group)), self.state.setdefault(p, {})
                    own_state.clear()
                    own_state.update(fresh)
                    own_state.update({name: taken(value, fresh.get(name), p.dtype if self.elementwise else None)
                                      for name, value in remembered.get(numbers[p], {}).items()})

    def must_fit(self, groups: list[dict[str, Any]], remembered: dict[int, State], parameters: list[Tensor]) -> None:
        """Raise ArgumentError where groups, options or shapes of a state are not this optimizer's."""
        title = f"{type(self).__name__}.load_state_dict"
        sizes, given = ([len(g["params"]) for g in side] for side in (self.param_groups, groups))
        if sizes != given:
            raise ArgumentError(f"{title}: this optimizer has groups of {sizes} parameters, the state of {given}. Build it over "
                                "the same parameters, in the same order.")
        for group in groups:
            if set(group) - {"params", "initial_lr"} != set(self.defaults):
                raise ArgumentError(f"{title}: the state is of an optimizer with the options {', '.join(group)}; this one has "
                                    f"{', '.join(self.defaults)}.")
        for number, values in remembered.items():
            if not 0 <= number < len(parameters):
                raise ArgumentError(f"{title}: the state is of parameter {number}, and there are {len(parameters)}.")
            for name, value in values.items():
                if self.elementwise and typeof(value).shape not in ((), parameters[number].shape):
                    raise ArgumentError(f"{title}: {name} of parameter {number} has shape {typeof(value).shape}, the parameter "
                                        f"{parameters[number].shape}.")

    def __repr__(self) -> str:
        rows = [f"{len(g['params'])} parameters, {', '.join(f'{k}={v}' for k, v in g.items() if k != 'params')}"
                for g in self.param_groups]
        return f"{type(self).__name__}({'; '.join(rows)})"


def settled(value: Any) -> Any:
    """An option as it is kept: a pair as a list, a number that may move as a Python float; staged numbers as they are."""
    if isinstance(value, tuple):
        return [settled(v) for v in value]
    return float(value) if isinstance(value, int | float | np.number) and not isinstance(value, bool) else value


def taken(value: Any, before: Any, dtype: np.dtype[Any] | None) -> Any:
    """An entry of a loaded state: a number of the kind it is in the beginning, or an array of this dtype (None: its own)."""
    if isinstance(before, int | float):
        return type(before)(value)
    return np.array(value, dtype) if isinstance(value, np.ndarray | np.generic) or before is not None else value


def is_zero(value: Any) -> bool:
    """Whether an option is known to be 0; of a number that moves this is not known while a step is traced."""
    return isinstance(value, int | float) and value == 0


def zeros(p: Array) -> np.ndarray[Any, Any]:
    """An array like the parameter, with nothing in it yet."""
    return np.zeros(*typeof(p)[:2])


def blend(old: Array, new: Array, keep: float) -> Array:
    """A running mean, one step on."""
    return keep * old + (1 - keep) * new
