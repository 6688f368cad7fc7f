"""A fact is one thing that is true of a gradient: a value, an edge into it, a sum where edges meet, a check."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chainrule.core.type import Shape

from ..formulas.formula import Formula
from .replay import Replay


@dataclass(frozen=True)
class Node:
    """A value of the computation. `formula` calls the arguments by name, `numbers` has their values put in.

    `kind` is "input" (a leaf that wants a gradient), "constant" or "operation". `gradient` is None where none flows. `source`
    is the user's line that computed the value. `opens` says that the operation is a composite with parts; `inside` is the name of
    the composite whose part this is; `group` the id of the innermost group it was computed in.
    """

    id: str
    name: str
    kind: str
    operation: str | None
    arguments: tuple[str, ...]
    options: dict[str, Any]
    formula: Formula | None
    numbers: Formula | None
    value: Any
    shape: Shape
    dtype: str
    gradient: Any
    gradient_name: Formula
    source: str | None
    opens: bool = False
    inside: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Group:
    """What one call of a module computed, or a block under `named_scope`.

    `name` is dotted, as in "encoder.fc1"; `kind` the class of the module, or "scope"; `parent` the id of the group around it. It
    is call number `call` of `calls` to the same module. `nodes` are the ids of the values in it and in no group
    further inside.
    """

    id: str
    name: str
    kind: str
    parent: str | None
    call: int
    calls: int
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Local:
    """The derivative of a result in one argument: as formula, with numbers put in, and evaluated, element by element."""

    formula: Formula | None
    numbers: Formula | None
    value: Any


@dataclass(frozen=True)
class Edge:
    """What flows along one edge: from a result back to one of its arguments.

    `rule` is the contribution as a formula of the gradient arriving and the values at hand, `numbers` the same with
    numbers put in. `local` is None where the local derivative is a matrix that nobody writes down: there the rule says it.
    """

    id: str
    result: str
    argument: str
    position: int
    upstream: Any
    local: Local | None
    rule: Formula | None
    numbers: Formula | None
    contribution: Any


@dataclass(frozen=True)
class Branch:
    """One contribution to a merge beside the others.

    `size` is its norm, `share` its signed part of the gradient, (contribution · gradient) / (gradient · gradient): the shares sum
    to 1. `angle` is the angle in degrees between it and the sum of the others, None where one of them is 0. `role` says which
    part of a residual connection x + F(x) it is: "skip", "block", or None.
    """

    edge: str
    size: float
    share: float
    angle: float | None
    role: str | None = None


@dataclass(frozen=True)
class Merge:
    """A value used more than once: its gradient is the sum of what its edges contribute.

    `cancelled` is the share of their sizes that is lost in the sum: 0 where all point the same way, 1 where nothing is left.
    """

    node: str
    edges: tuple[str, ...]
    total: Any
    branches: tuple[Branch, ...]
    cancelled: float


@dataclass(frozen=True)
class Check:
    """One element of a gradient beside a central difference of the loss, computed in float64."""

    node: str
    index: tuple[int, ...]
    gradient: float
    difference: float
    agrees: bool
    note: str = ""

    @property
    def residual(self) -> float:
        return abs(self.gradient - self.difference)


@dataclass(frozen=True, repr=False)
class Facts:
    """How every number in the gradients of a loss came to be, and nothing else; all faces are drawn from this.

    `nodes` come in the order in which they were computed, `edges` in the order of the sweep. `gradients` and `derivations` (the
    gradient as a formula) are by name. `groups` are calls of modules, the outer ones first. Where gates were opened,
    `originals` are the program's own tensors, each after the name of its node.
    """

    loss: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    merges: tuple[Merge, ...]
    gradients: dict[str, Any]
    derivations: dict[str, Formula]
    replay: Replay
    leaves: dict[str, Any]
    groups: tuple[Group, ...] = ()
    originals: tuple[tuple[str, Any], ...] = ()

    def __getitem__(self, name: str) -> Node:
        """The node of this name or id."""
        return self.index[name]

    @cached_property
    def index(self) -> dict[str, Node]:
        return {key: node for node in self.nodes for key in (node.id, node.name)}

    def name_of(self, value: Any) -> str | None:
        """The name of the node that a tensor or array of the program is; None if it takes no part."""
        return next((name for name, x in (*self.replay.values.items(), *self.originals) if x is value), None)

    def edges_into(self, name: str) -> list[Edge]:
        """The edges that contribute to the gradient of this node."""
        return [e for e in self.edges if e.argument == self[name].id]

    def is_summed(self, edge: Edge) -> bool:
        """Whether broadcasting repeated the argument, so that its contribution is a sum over the repetitions."""
        result, argument = self[edge.result], self[edge.argument]
        return edge.local is not None and result.shape not in ((), argument.shape)

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Elements of the gradients of the leaves, each beside a finite difference."""
        return tuple(Check(name, *found) for name, leaf in self.leaves.items()
                     for found in self.replay.check(leaf, self.gradients[name], share=len(self.leaves)))
