"""Merging makes one kernel of two with the same loops, so that what one computes the other has at hand, and a start is saved."""
from __future__ import annotations

from .affine import Affine, Place
from .fusion import MEMBERS, Fusion, owned
from .groups import Group
from .nodes import Node, beneath, original

SMALL = 16384
"""Kernels over up to so many elements are merged even if they have nothing in common: to start one costs as much."""
STREAMS = 24
"""So many arrays a merged kernel touches at most: with more, a processor cannot fetch what comes next ahead of time."""


def merge(fusion: Fusion) -> None:
    """Merge groups of maps as far as that is possible and pays."""
    alike: dict[tuple[int, ...], list[Group]] = {}
    for unit in fusion.units:
        if isinstance(unit, Group) and unit.members and plain(unit):
            unit.settle()
            alike.setdefault(tuple(unit.sizes[d] for d in unit.order), []).append(unit)
    for sizes, groups in alike.items():
        kept: list[Group] = []
        for group in groups if sizes else ():
            for other in list(kept):
                first, second = (group, other) if fusion.precedes(group, other) else (other, group)
                if mergeable(fusion, first, second):
                    absorb(fusion, first, second)
                    kept.remove(other)
                    group = second
            kept.append(group)


def plain(group: Group) -> bool:
    """Whether a group is one nest of loops with nothing in it but maps."""
    return group.product is None and not (group.rows or group.terminals or group.inline) and all(
        m.kind == "map" for m in group.members)


def mergeable(fusion: Fusion, first: Group, second: Group) -> bool:
    if len(first.members) + len(second.members) > MEMBERS or not worth(first, second):
        return False
    i, j = fusion.numbers[first], fusion.numbers[second]
    between = (k for k in range(len(fusion.units)) if fusion.before[j] >> k & 1)
    if any(fusion.before[k] >> i & 1 for k in between):
        return False
    made = {node: translated(place, first, second) for node, place in first.places.items()}
    for member in second.members:
        if any(original(source) in made for source in beneath(member.foreign)):
            return False
        for source, place in second.reached(member):
            if original(source) in made and made.get(source) != place:
                return False
    return True


def worth(first: Group, second: Group) -> bool:
    """Whether the two have anything in common, or do little; and do not touch too much at once."""
    one, two = sources(first), sources(second)
    elements = max(m.size for m in (*first.members, *second.members))
    outside = (one | two) - set(first.members) - set(second.members)
    return len(outside) <= STREAMS and (elements <= SMALL or not two.isdisjoint((*one, *first.members)))


def sources(group: Group) -> set[Node]:
    return {original(source) for m in group.members for source in beneath((*m.args, *m.foreign))}


def translated(place: Place, first: Group, second: Group) -> Place:
    """A place in the loops of one group, in those of another."""
    dims = dict(zip(first.order, second.order))
    return tuple(Affine(index.offset, tuple(sorted((dims[d], c) for d, c in index.terms))) for index in place)


def absorb(fusion: Fusion, first: Group, second: Group) -> None:
    """Let one group compute what another did before it."""
    second.members[:0] = first.members
    for old, new in ((first.places, second.places), (first.anchors, second.anchors)):
        for node, place in old.items():
            new.setdefault(node, translated(place, first, second))
    for member in first.members:
        owned(member, second)
    i, j = fusion.numbers[first], fusion.numbers[second]
    fusion.before[j] = (fusion.before[j] | fusion.before[i]) & ~(1 << i)
    for k, mask in enumerate(fusion.before):
        if mask >> i & 1 or mask >> j & 1:
            fusion.before[k] = mask | 1 << j | fusion.before[j]
    first.members = []
