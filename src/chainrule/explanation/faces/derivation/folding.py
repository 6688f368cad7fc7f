"""A folding says which values of a computation are worth lines of their own, and which are written inside those of others."""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from chainrule.ops import ALL

from ...formulas.formula import Name, Number
from ...record.facts import Facts, Node
from .repetition import Repetition, arguments

AUTOMATIC = re.compile(r"[vc]\d+")  # what values without a name are called
LAYERS = frozenset({"matmul", "chain_matmul", "linear", "convolution", "transposed_convolution", "vecdot", "einsum"})
MOVES = frozenset({"permute_dims", "reshape", "broadcast_to", "cast", "positive", "stop_gradient", "part", "pick"})
REDUCTIONS = frozenset({"sum", "mean", "softmax_cross_entropy", "where"})
ACTIVATIONS = frozenset(p.name for p in ALL if getattr(p.declared, "__module__", "").endswith((".activation", ".gelu"))
                        and not p.name.endswith("_slope")) | {"tanh"}
ARITHMETIC = frozenset(p.name for p in ALL if p.slopes is not None) - ACTIVATIONS | REDUCTIONS
MOST = 4  # operations; a value of more has a line of its own


class Folding:
    """The values that are kept on lines of their own, all others being written inside; the same in all steps of a repetition."""

    def __init__(self, e: Facts, repetition: Repetition, writable: Iterable[str]) -> None:
        self.e, self.repetition = e, repetition
        self.users: dict[str, list[Node]] = {}
        self.order = [n for n in e.nodes if n.kind == "operation"]
        for n in self.order:
            for a in operands(e, n):
                self.users.setdefault(a.id, []).append(n)
        self.opaque = self.results_of_opaque(set(writable))
        self.sizes: dict[str, int] = {}
        self.kept_roles = {repetition.role(n.id) for n in self.order if not self.folds(n)}

    def results_of_opaque(self, writable: set[str]) -> set[str]:
        """The values whose way back is written as a Jacobian, so that they need a name; of several outputs, each."""
        found = {edge.result for edge in self.e.edges if edge.id not in writable}
        for n in self.order:
            if n.operation == "pick" and self.argument(n).id in found:
                found.add(n.id)
        return {i for i in found if not isinstance(self.e[i].value, tuple)}

    def argument(self, n: Node) -> Node:
        return next(operands(self.e, n))

    def kept(self, n: Node) -> bool:
        return n.kind != "operation" or self.repetition.role(n.id) in self.kept_roles

    def keep(self, n: Node) -> None:
        self.kept_roles.add(self.repetition.role(n.id))

    # ---------------------------------------------------------------- what folds
    def folds(self, n: Node) -> bool:
        users = self.users.get(n.id, [])
        self.sizes[n.id] = 1 + sum(self.sizes.get(a.id, 0) for a in operands(self.e, n))
        folded = self.may_fold(n, users)
        if not folded:
            self.sizes[n.id] = 0
        return folded

    def may_fold(self, n: Node, users: list[Node]) -> bool:
        if isinstance(n.value, tuple):
            return True
        if not AUTOMATIC.fullmatch(n.name) or n.name == self.e.loss or n.id in self.opaque or not users:
            return False
        if self.repetition.role(n.id) in self.repetition.carried or self.outside_of_steps(n):
            return False
        if is_swap(n):
            return True
        if len(users) > 1 or users[0].operation in ACTIVATIONS:
            return False
        return self.into(n, users[0])

    def into(self, n: Node, user: Node) -> bool:
        """Whether a value is written inside its only user."""
        if self.is_preactivation(n):
            return is_bias_added(self.e, n, user)
        if self.sizes[n.id] > MOST:
            return False
        if n.operation in MOVES:
            return n.operation != "permute_dims" or user.operation == "reshape"
        if n.operation in ARITHMETIC:
            return user.operation not in {*LAYERS, "softmax", "log_softmax"} or self.is_scaled(n)
        return False

    def outside_of_steps(self, n: Node) -> bool:
        """Whether it is what one step of a loop takes, computed beside it."""
        place = self.repetition.places.get(n.id)
        return place is not None and n.operation == "part" and any(isinstance(k, int) for k in n.options["key"])

    def is_scaled(self, n: Node) -> bool:
        """Whether it is a value times a number."""
        return n.operation in ("multiply", "divide") and any(isinstance(a, Number) for a in arguments(n))

    def is_preactivation(self, n: Node) -> bool:
        """Whether it is what a layer computes: a product with weights, and the bias that is added."""
        if n.operation in LAYERS:
            return True
        return n.operation == "add" and any(
            self.is_preactivation(a) and is_bias_added(self.e, a, n) and len(self.users[a.id]) == 1 for a in operands(self.e, n))

    def feeds_activation(self, n: Node) -> bool:
        return any(u.operation in ACTIVATIONS for u in self.users.get(n.id, ()))


def operands(e: Facts, n: Node) -> Iterator[Node]:
    """The values an operation takes, in the order of its arguments."""
    return (e[a.name] for a in arguments(n) if isinstance(a, Name))


def is_swap(n: Node) -> bool:
    """Whether it is a transposed matrix, or a stack of them."""
    return n.operation == "permute_dims" and is_last_swap(n.options["axes"])


def is_last_swap(axes: tuple[int, ...]) -> bool:
    """Whether a permutation of axes exchanges the last two."""
    return len(axes) > 1 and tuple(axes) == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2)


def is_bias_added(e: Facts, n: Node, user: Node) -> bool:
    """Whether a product is used in a sum only, with a bias or another product: together they are one layer."""
    if user.operation != "add" or n.shape != user.shape:
        return False
    others = [a for a in operands(e, user) if a.id != n.id]
    return all(a.kind != "operation" or a.operation in LAYERS or is_swap(a) for a in others)

