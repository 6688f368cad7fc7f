"""Prospects say what becomes of a node: who reads it, and whether these could go on in the loops that compute it."""
from __future__ import annotations

from typing import Any

from .building import LIGHT, Opaque
from .nodes import Node, Ref, beneath, original
from .products import Product


def results(item: Any) -> tuple[Node, ...]:
    """The nodes that an item computes."""
    return item.outputs if isinstance(item, Opaque) else (item.output,) if isinstance(item, Product) else (item,)


def arguments(item: Any) -> tuple[Ref, ...]:
    """What an item reads one element after the other, and may compute itself."""
    return item.args if isinstance(item, Node) else item.bias if isinstance(item, Product) else ()


def fixed(item: Any) -> tuple[Ref, ...]:
    """What an item reads from memory in its own order."""
    if isinstance(item, Opaque):
        return tuple(x for x in item.inputs if isinstance(x, Ref))
    return item.operands if isinstance(item, Product) else item.foreign


class Prospects:
    """The readers of the nodes of a program, known before anything has its place.

    The level of a node is how many folds, contractions and other kernels stand one after the other before it: what has a higher
    level than a node cannot be computed together with it.
    """

    def __init__(self, items: list[Any], outputs: dict[Node, int]) -> None:
        self.held = {original(node) for item in items for node in beneath(fixed(item))} | set(map(original, outputs))
        self.readers: dict[Node, list[Any]] = {}
        self.levels: dict[Node, int] = {}
        self.ends: dict[Node, bool] = {}
        for item in items:
            sources = [*beneath(arguments(item)), *beneath(fixed(item))]
            level = max((self.levels.get(original(s), 0) for s in sources), default=0)
            for node in results(item):
                self.levels[node] = level + (not isinstance(item, Node) or item.kind == "reduce")
            for source in beneath(arguments(item)):
                self.readers.setdefault(source, []).append(item)

    def uses(self, node: Node) -> int | None:
        """How often a node is read by others as they please; None if it has to be in memory."""
        return None if node in self.held or node.aliases else len(self.readers.get(node, []))

    def ends_here(self, node: Node) -> bool:
        """Whether none of those that read a node can go on in its loops: all are folds, or wait for something else."""
        if node not in self.ends:
            self.ends[node] = all(self.cannot_follow(node, item) for item in self.readers.get(node, []))
        return self.ends[node]

    def cannot_follow(self, node: Node, item: Any) -> bool:
        if not isinstance(item, Node) or item.kind == "reduce" or self.levels[item] > self.levels.get(node, 0):
            return True
        return not item.costly and item not in self.held and self.ends_here(item)

    def stored_anyway(self, node: Node) -> bool:
        """Whether a node will be in memory whatever becomes of one of its readers."""
        later = [r for r in self.readers.get(node, []) if self.cannot_follow(node, r)]
        return node in self.held or any(not isinstance(r, Node) or r.kind == "reduce" for r in later) or len(later) > 1

    def stored_for_others(self, fold: Node, unit: Any) -> bool:
        """Whether what a fold reads is computed by a unit, and will be in memory if the fold is not."""
        return all(source.group is unit and (source in self.held or any(
            self.cannot_follow(source, r) for r in self.readers[source] if r is not fold)) for source in beneath(fold.args))

    def made_later(self, node: Node, unit: Any) -> bool:
        """Whether those that read a node can compute it as well, at little cost, from what its unit stores anyway."""
        return self.ends_here(node) and all(
            source.group is not unit or self.stored_anyway(source) for source in beneath(node.args))


def weight_of(node: Node) -> int:
    """How many cheap steps a node is worth if it is computed wherever it is used."""
    return 1 + sum(r.node.weight for r in node.args)


def is_light(node: Node) -> bool:
    return not node.costly and not node.foreign and weight_of(node) <= LIGHT
