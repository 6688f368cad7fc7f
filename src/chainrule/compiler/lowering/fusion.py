"""Fusion puts the nodes of a program into groups, so that what can share its loops is computed in one kernel."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

from .affine import NotAffine, Place
from .building import Opaque
from .fitting import acceptable, fitting, layout, seen
from .groups import Group, dims_in
from .moves import Reshape
from .nodes import Node, Ref, beneath, own_place, strided, whole
from .products import Product
from .prospects import Prospects, is_light, weight_of

MEMBERS = 96
"""So many nodes one kernel computes at most."""
WIDE = 4096
"""A fold that leaves so many elements is done for each of them; one that leaves fewer is done in stretches of what it folds."""
STRETCH = 32768
"""About how many elements are folded in one stretch."""


def goes_on(unit: Any) -> bool:
    """Whether a unit is a contraction, whose sums its kernel goes on with."""
    return isinstance(unit, Group) and unit.product is not None


def owned(node: Node, unit: Any) -> None:
    """Note who computes a node, and with it all that lies in its memory."""
    for n in (node, *node.aliases):
        n.group = unit


class Fusion:
    """The groups so far, in any order that respects what they need of each other."""

    def __init__(self, prospects: Prospects) -> None:
        self.prospects = prospects
        self.units: list[Any] = []
        self.numbers: dict[Any, int] = {}
        self.before: list[int] = []  # for each unit a set, as bits, of all those that must come before it
        self.anchored: dict[Node, list[Group]] = {}
        self.scalars: Group | None = None
        self.readers: dict[Node, list[Any]] = {}  # filled when all units are there

    # ------------------------------------------------------------------------------------ what comes before what
    def unit(self, unit: Any, needed: Iterable[Any]) -> None:
        """A new unit, which comes after others."""
        self.numbers[unit] = len(self.units)
        self.units.append(unit)
        self.before.append(0)
        for other in needed:
            self.depend(unit, other)

    def depend(self, unit: Any, on: Any) -> None:
        if unit is on:
            return
        i, j = self.numbers[unit], self.numbers[on]
        new = self.before[j] | 1 << j
        if self.before[i] & new == new:
            return
        for k, mask in enumerate(self.before):
            if k == i or mask >> i & 1:
                self.before[k] |= new

    def precedes(self, unit: Any, other: Any) -> bool:
        """Whether the first must come before the second."""
        return bool(self.before[self.numbers[other]] >> self.numbers[unit] & 1)

    def sources_of(self, refs: Iterable[Ref]) -> list[Any]:
        """The units that compute what these views see."""
        return [node.group for node in beneath(refs) if node.group is not None]

    # ------------------------------------------------------------------------------------ the items of a program
    def place(self, item: Any) -> None:
        """Give an item its unit."""
        if isinstance(item, Opaque):
            earlier = [node.group for node in beneath(item.after) if node.group is not None]
            self.unit(item, (*self.sources_of(x for x in item.inputs if isinstance(x, Ref)), *earlier))
            for node in item.outputs:
                owned(node, item)
        elif isinstance(item, Product):
            self.place_product(item)
        elif item.kind == "reduce":
            self.place_reduction(item)
        else:
            self.place_map(item)

    def place_product(self, item: Product) -> None:
        group = Group(product=item)
        item.start(group, layout)
        group.members.append(item.output)
        owned(item.output, group)
        self.unit(group, self.sources_of((*item.operands, *item.bias)))

    def place_map(self, node: Node) -> None:
        uses = self.prospects.uses(node)
        light = uses is not None and is_light(node)
        for group in self.candidates(node):
            if light and self.prospects.made_later(node, group):
                break
            place = fitting(node, node.shape, group)
            if place is not None and self.joined(node, place, group):
                return
        else:
            if not light or uses != 1:
                self.alone(node)
                return
        node.free, node.weight = True, weight_of(node)  # those who use it compute it

    def candidates(self, node: Node) -> Iterator[Group]:
        """Groups that a node could join: those of its arguments, then those that read the same arrays."""
        refs = (*node.args, *node.foreign)
        sources = self.sources_of(refs)
        blocked = {id(u) for u in self.sources_of(node.foreign)}
        found: dict[int, Group] = {}
        for unit in sorted({id(u): u for u in sources}.values(), key=lambda u: (not goes_on(u), -self.numbers[u])):
            if isinstance(unit, Group):
                found[id(unit)] = unit
        for source in beneath(node.args):
            if source.size > 1:
                found.update((id(g), g) for g in reversed(self.anchored.get(source, [])) if g.product is None)
        if node.shape == () and self.scalars is not None:
            found[id(self.scalars)] = self.scalars
        for group in found.values():
            if len(group.members) < MEMBERS and id(group) not in blocked and not any(
                    self.precedes(group, u) for u in sources if u is not group):
                yield group

    # ------------------------------------------------------------------------------------ joining
    def joined(self, node: Node, place: Place, group: Group) -> bool:
        """Make a map a member, if its arguments can be found at its place."""
        group.places[node] = place
        if not acceptable(node, group):
            del group.places[node]
            group.forget_unused()
            return False
        self.enter(node, group)
        return True

    def enter(self, node: Node, group: Group) -> None:
        """Make a node a member of a group."""
        group.members.append(node)
        owned(node, group)
        if node.contiguous or node.preferred:
            node.order = node.preferred or tuple(range(len(node.shape)))
        else:
            ranks = {d: i for i, d in enumerate(group.order)}
            node.order = tuple(sorted(range(len(node.shape)), key=lambda a: max(
                (ranks[d] for d, _ in group.places[node][a].terms), default=-1)))
        for unit in self.sources_of((*node.args, *node.foreign)):
            self.depend(group, unit)
        for source, place in group.reached(node):
            if source.group is not group and source not in group.anchors and source.size > 1:
                group.anchors[source] = place
                self.anchored.setdefault(source, []).append(group)

    # ------------------------------------------------------------------------------------ groups of their own
    def new_group(self, shape: tuple[int, ...], refs: Iterable[Ref], guides: Iterable[Ref] = ()) -> tuple[Group, Place]:
        """A group with a loop for each axis, in the order in which the greatest of the arrays lies in memory; if there is none
        of its size, as one of the guides with as many axes does."""
        group = Group()
        place, group.sizes = own_place(shape)
        group.sizes = {d: n for d, n in group.sizes.items() if n != 1}
        group.order = sorted(group.sizes)
        great = max((r for r in seen(refs) if not r.node.free and prod(r.shape) == prod(shape)), key=lambda r: r.node.size,
                    default=next((r for r in guides if len(r.shape) == len(shape)), None))
        if great is not None:
            view = strided(Ref(great.node, great.moves, great.shape), layout(great.node))
            if view is not None:
                lead = len(shape) - len(great.shape)
                steps = {d: abs(view[1][d - lead]) for d in group.order}
                group.order.sort(key=lambda d: -steps[d])
        self.unit(group, self.sources_of(refs))
        return group, place

    def secure(self, node: Node) -> None:
        """Copy arguments that no splitting of the node's loops reaches."""
        group = Group()
        place, group.sizes = own_place(node.args[0].shape if node.kind == "reduce" else node.shape)
        made = []
        for ref in node.args:
            trial = Node(node.shape, node.dtype, node.kind, (ref,), axes=node.axes)
            group.places[trial] = group.inner[trial] = place
            try:
                group.reached(trial)
            except NotAffine:
                ref = self.copied(ref)
            place = group.places[trial]
            made.append(ref)
        node.args = tuple(made)

    def copied(self, ref: Ref) -> Ref:
        """A view of a copy in memory: of a free node itself, else of what is seen."""
        if ref.node.free and ref.node.args:
            old = ref.node
            copy = Node(old.shape, old.dtype, "map", old.args, (), old.run, origin=old.origin)
            self.alone(copy)
            return Ref(copy, ref.moves, ref.shape)
        copy = Node(ref.shape, ref.dtype, "map", (ref,), (), lambda context, value: value, origin=ref.node.origin)
        self.alone(copy)
        return whole(copy)

    def alone(self, node: Node) -> None:
        self.secure(node)
        group, place = self.new_group(node.shape, node.args, node.foreign)
        group.places[node] = place
        self.enter(node, group)
        if node.shape == ():
            self.scalars = group

    # ------------------------------------------------------------------------------------ folds
    def place_reduction(self, node: Node) -> None:
        shape = node.args[0].shape
        for group in self.candidates(node):
            place = fitting(node, shape, group) if group.product is None else None
            if place is not None and self.fold_joined(node, place, group):
                return
        self.fold_alone(node)

    def fold_joined(self, node: Node, place: Place, group: Group) -> bool:
        """Make a fold a member: one of the group's phases, or a terminal."""
        group.inner[node] = place
        group.places[node] = tuple(index for axis, index in enumerate(place) if axis not in node.axes)
        if acceptable(node, group):
            place = group.inner[node]
            folded = dims_in(tuple(place[a] for a in node.axes))
            if self.is_phase(folded, dims_in(place), group):
                group.rows = folded
                self.enter(node, group)
                return True
            if self.may_end_in(node, folded, dims_in(place), group):
                self.end_in(node, group)
                return True
        del group.inner[node], group.places[node]
        group.forget_unused()
        return False

    def is_phase(self, folded: set[int], dims: set[int], group: Group) -> bool:
        """Whether a fold's loops can be the inner ones of a group, so that its result is there for those that follow."""
        if group.rows or dims != set(group.order):
            return folded == group.rows
        if not folded or group.order[-1] not in folded or group.inline:
            return False
        if any(group.dims_of(m) != dims for m in group.members if m not in group.terminals):
            return False
        if any(dims_in(group.inner[m]) & folded and dims_in(group.inner[m]) != dims for m in group.terminals):
            return False  # its sum would be taken in rounds of a loop that it does not have
        left = prod(group.sizes[d] for d in dims - folded)
        return left >= 8 or prod(group.sizes[d] for d in folded) <= STRETCH

    def may_end_in(self, node: Node, folded: set[int], dims: set[int], group: Group) -> bool:
        """Whether a group may keep a fold's sums in memory: its loops stay as they are for little that it stores anyway."""
        if group.rows and not dims & group.rows and self.prospects.stored_for_others(node, group):
            return False
        return not (group.apart and group.loops[0] in folded) or prod(group.sizes[d] for d in group.order) <= STRETCH

    def fold_alone(self, node: Node) -> None:
        self.secure(node)
        ref = node.args[0]
        group, place = self.new_group(ref.shape, node.args)
        group.inner[node] = place
        group.places[node] = tuple(index for axis, index in enumerate(place) if axis not in node.axes)
        group.reached(node)
        folded = dims_in(tuple(group.inner[node][a] for a in node.axes))
        if self.is_phase(folded, set(group.order), group):
            group.rows = folded
            self.enter(node, group)
        elif node.size >= WIDE or ref.node.size <= STRETCH // 2:
            group.inline[node] = tuple(d for d in group.order if d in folded)
            group.order = [d for d in group.order if d not in folded]
            self.enter(node, group)
        else:
            self.end_in(node, group)

    def end_in(self, node: Node, group: Group) -> None:
        """Make a fold a terminal: a copy of it folds stretches, and the node itself, in a group of its own, folds those."""
        part = Node(node.shape, node.dtype, "reduce", node.args, combine=node.combine, axes=node.axes, origin=node.origin)
        group.inner[part], group.places[part] = group.inner.pop(node), group.places.pop(node)
        if not group.terminals:
            size = prod(group.sizes[d] for d in group.order)
            stretch = STRETCH // 4 if any(m.costly for m in group.members) else STRETCH
            cut = group.order and group.loops[0] not in group.dims_of(part)  # else each of its rounds has sums of its own
            group.chunks = max(1, min(16, size // stretch, group.sizes[group.loops[0]])) if cut else 1
        leaf = Node((group.chunks, *node.shape), node.dtype, "leaf", origin=node.origin)
        leaf.order = tuple(range(len(leaf.shape)))
        leaf.group = group
        group.terminals[part] = leaf
        self.enter(part, group)
        node.args, node.axes = (whole(leaf),), (0,)
        if group.chunks == 1:
            node.kind, node.axes, node.run = "map", (), lambda context, value: value
            node.args = (whole(leaf).moved(Reshape(leaf.shape, node.shape), node.shape),)
            self.place_map(node)
        else:
            self.fold_alone(node)

