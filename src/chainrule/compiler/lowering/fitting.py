"""Fitting finds the place of a node in the loops of a group, and judges whether the node may be computed there."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

from .affine import ZERO, Affine, NeedsSplit, NotAffine, Place
from .groups import Group, dims_in
from .nodes import Node, Ref, packed


def layout(node: Node) -> tuple[int, ...]:
    """The strides that a node's elements have in memory, or would have."""
    if node.stores:
        return node.stores[0].strides
    return packed(node) if node.frame is None else node.frame.strides


def seen(refs: Iterable[Ref]) -> Iterator[Ref]:
    """The views, and those from which free nodes are computed in place of them, where they are as wide."""
    for ref in refs:
        if ref.node.free and not ref.moves:
            yield from seen(r for r in ref.node.args if r.shape == ref.shape)
        else:
            yield ref


def fitting(node: Node, shape: tuple[int, ...], group: Group) -> Place | None:
    """The place of an array of `shape`, made of a node's arguments, in the loops of a group; None where it has none."""
    while True:
        try:
            return guess(node, shape, group)
        except NeedsSplit as need:
            group.split(need)
        except NotAffine:
            return None


def guess(node: Node, shape: tuple[int, ...], group: Group) -> Place | None:
    found = known(node.args, shape, group)
    return None if found is None else completed(shape, found, group, node)


def known(refs: Iterable[Ref], shape: tuple[int, ...], group: Group) -> list[Affine | None] | None:
    """As much of a place as follows from where a group has the sources; None if they contradict each other."""
    found: list[Affine | None] = [ZERO if n == 1 else None for n in shape]
    for ref in refs:
        node = ref.node
        if node.free:
            inner = known(node.args, node.shape, group)
            if inner is None:
                return None
            source: Any = tuple(inner)
        elif node.group is group and node not in group.places:
            return None  # it is complete only when the group is
        else:
            source = group.places.get(node, group.anchors.get(node))
        if source is None or (None in source and (ref.reshapes or not source)):
            continue
        try:
            hint = ref.forth(source, group.sizes, shape)
        except NotAffine:
            if node.free or node in group.places:
                raise
            continue  # another part of an array that the group reads
        for axis, index in enumerate(hint):
            if index is not None and found[axis] not in (None, index):
                return None
            found[axis] = found[axis] if index is None else index
    return found


def completed(shape: tuple[int, ...], found: list[Affine | None], group: Group, node: Node) -> Place | None:
    """A place whose unknown axes get loops that nothing else uses: old ones of their size, or new ones inside all others."""
    if not all(index is None or index.fills(n, group.sizes) for index, n in zip(found, shape)):
        return None
    used = {d for index in found if index is not None for d, _ in index.terms}
    if len(used) < sum(len(i.terms) for i in found if i is not None):
        return None
    spare = [d for d in group.loops if d not in used]
    missing = [axis for axis, index in enumerate(found) if index is None]
    for axis in missing:
        dim = next((d for d in spare if group.sizes[d] == shape[axis]), None)
        if dim is not None:
            spare.remove(dim)
            found[axis] = Affine(0, ((dim, 1),))
    missing = [axis for axis in missing if found[axis] is None]
    if missing and not may_grow(group, node, prod(shape[a] for a in missing)):
        return None
    for axis in missing:
        dim = group.new_dim(shape[axis])
        group.order.append(dim)
        found[axis] = Affine(0, ((dim, 1),))
    return tuple(index for index in found if index is not None)


def may_grow(group: Group, node: Node, by: int) -> bool:
    """Whether loops inside all others may be added: what is done so far stays outside, so it must be little."""
    if group.product is not None or group.rows or group.terminals or group.inline or not group.order:
        return False
    if by < 16:
        return False
    biggest = max(node.args, key=lambda r: r.node.size if r.node.group is not group else 0)
    return biggest.node.group is group or biggest.node.size < node.size or node.size == 0


def acceptable(node: Node, group: Group) -> bool:
    """Whether each argument that the group computes is wanted where it is computed, and the node's loops are a nest."""
    try:
        reached = group.reached(node)
    except NotAffine:
        return False
    if any(source in group.places and group.places[source] != place for source, place in reached):
        return False
    dims = dims_in(group.inner[node] if node.kind == "reduce" else group.places[node])
    if group.product is not None:
        return dims == dims_in(group.places[group.product.output])
    loops = group.loops
    if dims & group.rows:
        return dims == set(loops)
    return dims == set(loops[:len(dims)])
