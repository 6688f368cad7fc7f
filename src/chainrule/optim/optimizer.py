"""An optimizer holds parameters, and what its update rule remembers of each."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from chainrule.core.interpreter import now
from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError, GradientError
from chainrule.tensor import Tensor

State = dict[str, Any]
"""What a rule remembers of one parameter between steps: arrays of its shape, by name; empty before the first."""


class Optimizer:
    """The part that all update rules share; a rule is a subclass with one pure function, `update`.

    `parameters` are tensors that require gradients, or groups of them: dicts with "params" and options of their own. Values are
    immutable, so a step gives each tensor a new array; what was computed from the old one keeps it.
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: dict[Tensor, State] = {}
        self.param_groups: list[dict[str, Any]] = []
        given: list[Any] = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        if not given:
            raise ArgumentError(f"{type(self).__name__}: there are no parameters to train. Give model.parameters(), or a list of "
                                "tensors made with requires_grad=True.")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def update(self, p: Array, g: Array, state: State, **options: Any) -> tuple[Array, State]:
        """The parameter after one step, and what to remember. Pure, and in the engine's words: it never changes its arguments."""
        raise NotImplementedError

    def check(self, **options: Any) -> None:
        """Raise ArgumentError where an option is outside what the rule accepts."""
        must(options["lr"] >= 0, self, "lr", options["lr"], "at least 0")
        must(options["weight_decay"] >= 0, self, "weight_decay", options["weight_decay"], "at least 0")

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
        options = {**self.defaults, **{k: v for k, v in group.items() if k != "params"}}
        self.check(**options)
        self.param_groups.append({"params": params, **options})

    def step(self) -> None:
        """Move every parameter that has a gradient. Raises GradientError where none has one: a sweep was forgotten."""
        moved = False
        now().meet(self)
        for group in self.param_groups:
            options = {k: v for k, v in group.items() if k != "params"}
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

    def initial(self, p: Array, **options: Any) -> State:
        """What is remembered of a parameter before its first step, if that is always the same set of arrays."""
        return {}

    def state_of(self, p: Tensor, **options: Any) -> State:
        """What is remembered of a parameter: one dict for good, whose entries the steps replace."""
        if p not in self.state:
            self.state[p] = self.initial(p, **options)
        return self.state[p]

    def cells(self) -> Iterator[tuple[dict[str, Any], str]]:
        """Every number that changes between steps while the program stays the same: the dict it is in, and its name there."""
        for group in self.param_groups:
            yield group, "lr"
            for p in group["params"]:
                state = self.state_of(p, **{k: v for k, v in group.items() if k != "params"})
                yield from ((state, name) for name in state)

    def settings(self) -> list[dict[str, Any]]:
        """What a step depends on besides: the groups, with their options."""
        return self.param_groups

    def zero_grad(self) -> None:
        """Forget the gradients: without this, the next sweep adds to them."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """What is remembered of each parameter, by its number, and the groups' options: to go on from here later."""
        numbers = {p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [{**group, "params": [numbers[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": {numbers[p]: dict(s) for p, s in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict()` of an optimizer with the same groups. Raises ArgumentError where it does not fit."""
        groups = state["param_groups"]
        sizes, given = ([len(g["params"]) for g in side] for side in (self.param_groups, groups))
        if sizes != given:
            raise ArgumentError(f"{type(self).__name__}.load_state_dict: this optimizer has groups of {sizes} parameters, the "
                                f"state of {given}. Build it over the same parameters, in the same order.")
        parameters = dict(enumerate(p for group in self.param_groups for p in group["params"]))
        for number, remembered in state["state"].items():
            for name, value in remembered.items():
                if typeof(value).shape not in ((), parameters[number].shape):
                    raise ArgumentError(f"{type(self).__name__}.load_state_dict: {name} of parameter {number} has shape "
                                        f"{typeof(value).shape}, the parameter {parameters[number].shape}.")
        for own, loaded in zip(self.param_groups, groups):
            own.update({k: v for k, v in loaded.items() if k != "params"})
        for remembered in self.state.values():
            remembered.clear()
        for i, s in state["state"].items():
            self.state.setdefault(parameters[i], {}).update({k: np.array(v) if typeof(v).shape else v for k, v in s.items()})

    def __repr__(self) -> str:
        rows = [f"{len(g['params'])} parameters, {', '.join(f'{k}={v}' for k, v in g.items() if k != 'params')}"
                for g in self.param_groups]
        return f"{type(self).__name__}({'; '.join(rows)})"


def must(holds: bool, optimizer: Optimizer, name: str, value: Any, bound: str) -> None:
    if not holds:
        raise ArgumentError(f"{type(optimizer).__name__}: {name} is {bound}, not {value!r}.")
