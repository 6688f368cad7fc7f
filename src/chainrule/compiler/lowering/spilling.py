"""Spilling keeps for later runs of the inner loops what one of them computes at a cost, where a result will lie in the end."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .affine import Affine, flat
from .groups import Group
from .nodes import Node, Store, beneath


class Spill(NamedTuple):
    """Where a value waits: in the place of a result."""

    result: Node
    store: Store
    place: Affine


def spills(group: Group, phase: dict[Node, int], is_phase: Callable[[Node], bool]) -> dict[Node, Spill]:
    """The members to be kept, by member: costly ones, wanted in the phase that computes them and in a later one."""
    if not group.rows:
        return {}
    first: dict[Node, int] = {}
    last: dict[Node, int] = {}
    for member in group.members:
        if member.stores or member in group.terminals or is_phase(member):
            for node, when in wanted(group, phase, is_phase, member, phase[member] - is_phase(member)):
                first[node], last[node] = min(first.get(node, when), when), max(last.get(node, when), when)
    found: dict[Node, Spill] = {}
    taken: set[Node] = set()
    for node, until in last.items():
        if node.costly and not node.stores and first[node] == phase[node] < until:
            result = next((r for r in group.members if r not in taken and fits(group, r, node, phase[r], until)), None)
            if result is not None:
                taken.add(result)
                store = result.stores[0]
                found[node] = Spill(result, store, flat(group.places[result], store.strides))
    return found


def wanted(group: Group, phase: dict[Node, int], is_phase: Callable[[Node], bool], member: Node,
           when: int) -> Iterator[tuple[Node, int]]:
    """The members, as wide as the loops, that are computed for a member in a run of the inner loops."""
    for source in beneath(member.args):
        wide = source in phase and not is_phase(source) and group.dims_of(source) & group.rows
        if wide and not (source.stores and phase[source] < when):
            yield source, when
            yield from wanted(group, phase, is_phase, source, when)


def fits(group: Group, result: Node, node: Node, written: int, until: int) -> bool:
    """Whether a result, written when the node is last wanted or later, may hold the node's values until then."""
    same: Any = result.dtype == node.dtype and group.dims_of(result) == group.dims_of(node) == set(group.loops)
    return bool(same and result.stores and result not in group.terminals and written >= until
                and not group.overwrites and result.kind == "map")
