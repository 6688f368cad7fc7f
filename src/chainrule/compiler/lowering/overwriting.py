"""Overwriting puts a new value into the place of an old one, where nothing reads the old one afterwards."""
from __future__ import annotations

from collections.abc import Container
from typing import Any

from .affine import flat, strides_of
from .building import Opaque
from .fusion import Fusion
from .groups import Group
from .joining import Join
from .nodes import Node, beneath, original
from .prospects import arguments, fixed


def read_by(unit: Any) -> list[Node]:
    """All that a unit reads."""
    items = [unit] if isinstance(unit, Opaque) else [*unit.members, unit.product] if unit.product else unit.members
    return list(beneath(ref for item in items for ref in (*arguments(item), *fixed(item))))


def readers_of(fusion: Fusion, leaf: Node) -> list[Any]:
    """The units that read a leaf, once all of them are there."""
    if not fusion.readers:
        for unit in fusion.units:
            for source in {original(source) for source in read_by(unit)}:
                fusion.readers.setdefault(source, []).append(unit)
    return fusion.readers.get(leaf, [])


def may_overwrite(fusion: Fusion, node: Node, leaf: Node) -> bool:
    """Whether a node may be written where a leaf lies, both in C order; if so, the units that read the leaf come before."""
    unit = node.group
    if isinstance(unit, Join):  # its parts are written before
        return False
    readers = [u for u in readers_of(fusion, leaf) if u is not unit]
    if any(fusion.precedes(unit, reader) for reader in readers) or not in_place(unit, node, leaf, readers_of(fusion, leaf)):
        return False
    for reader in readers:
        fusion.depend(unit, reader)
    if isinstance(unit, Group) and unit in readers_of(fusion, leaf):
        unit.overwrites.add(leaf.stores[0])
    return True


def in_place(unit: Any, node: Node, leaf: Node, readers: list[Any]) -> bool:
    """Whether a unit reads each element of the leaf only where it writes that of the node, and before. (A careful product, which
    may be computed again, overwrites an element only once: its contraction sees to that.)"""
    if unit not in readers:
        return True
    if not isinstance(unit, Group) or unit.rows or unit.terminals:
        return False
    items = [*unit.members, unit.product] if unit.product else unit.members
    if any(original(source) is leaf for item in items for source in beneath(fixed(item))):
        return False
    if unit.product and any(original(source) is leaf for source in beneath(unit.product.bias)):
        return False
    unit.settle()
    if unit.dims_of(node) != set(unit.loops):
        return False
    place, strides = flat(unit.places[node], strides_of(node.shape)), strides_of(leaf.shape)
    return all(source is leaf and flat(at, strides) == place for member in unit.members
               for source, at in unit.reached(member) if original(source) is leaf)


def reused(fusion: Fusion, order: list[Any], outputs: Container[Node]) -> None:
    """Let what a contraction goes on with lie where something lay that its kernel is the last to read, element by element. (Its
    kernel has to know: where a sum has to be computed again, the old element is needed once more. Stacks of products are left as
    they are: a sweep can do them part by part, and then again, and needs less memory than that.)"""
    past: set[Any] = set()
    for unit in order:
        past.add(unit)
        if not isinstance(unit, Group) or unit.product is None or not unit.product.form.careful or unit.product.stacked:
            continue
        old = [s for s in dict.fromkeys(read_by(unit)) if s.group is not unit and s not in outputs and alone(fusion, s)
               and past.issuperset(readers_of(fusion, s))]
        for node in unit.members:
            leaf = next((s for s in old if alike(node, s) and in_place(unit, node, s, readers_of(fusion, s))),
                        None) if node not in outputs and alone(fusion, node) else None
            if leaf is not None:
                node.stores[0] = leaf.stores[0]
                unit.overwrites.add(leaf.stores[0])
                old.remove(leaf)


def alone(fusion: Fusion, node: Node) -> bool:
    """Whether a node that a kernel computes has one piece of memory, which is no part of another's and has no other name."""
    apart = len(node.stores) == 1 and not node.aliases and node.alias_of is None and node.frame is None
    return apart and isinstance(node.group, Group) and not any(isinstance(r, Join) for r in readers_of(fusion, node))


def alike(one: Node, other: Node) -> bool:
    """Whether two nodes lie in memory in the same way."""
    return one.shape == other.shape and one.dtype == other.dtype and one.stores[0].strides == other.stores[0].strides
