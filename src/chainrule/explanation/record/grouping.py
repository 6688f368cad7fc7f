"""A grouping says which values were computed in the same call of a module, or in the same named block."""
from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from chainrule.core.reverse import Recorded
from chainrule.scopes import Scope, scopes

from .facts import Group


@dataclass
class Grouping:
    """Groups, the outer ones first; `of` has the id of the group of each value, by id of the value; `names` the dotted names
    of parameters."""

    groups: list[Group] = field(default_factory=list)
    of: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    @cached_property
    def parents(self) -> dict[str, str | None]:
        return {g.id: g.parent for g in self.groups}

    def common(self, ids: Iterable[str | None]) -> str | None:
        """The innermost group that all of these groups are in."""
        shared = None
        for steps in zip(*map(self.trail, ids)):
            if len(set(steps)) > 1:
                break
            shared = steps[0]
        return shared

    def trail(self, group: str | None) -> list[str]:
        """The ids of the groups from the outermost down to this one."""
        found: list[str] = []
        while group is not None:
            found.append(group)
            group = self.parents[group]
        return found[::-1]

    def filled(self, ids: Mapping[int, str]) -> tuple[Group, ...]:
        """The groups with the ids of the nodes in them; those in which nothing takes part are left out."""
        nodes: dict[str, list[str]] = {g.id: [] for g in self.groups}
        for value, node in ids.items():
            if value in self.of:
                nodes[self.of[value]].append(node)
        used = {step for group, its in nodes.items() if its for step in self.trail(group)}
        return tuple(replace(g, nodes=tuple(nodes[g.id])) for g in self.groups if g.id in used)


def grouping(order: Sequence[Recorded], constants: Sequence[Any], given: Mapping[int, str]) -> Grouping:
    """The grouping of a record; `given` are names by id, of modules too."""
    serials = [x.serial for x in order if x.prim is not None]
    nested = outermost_first(s for s in tuple(scopes) if bisect_right(serials, s.begin) < bisect_right(serials, s.end))
    if not nested:
        return Grouping()
    parents = parents_of(nested)
    names = names_of(nested, parents, given)
    made = Grouping(groups_of(nested, parents, names))
    for x in [*order, *(c for c in constants if isinstance(c, Recorded))]:
        inner = innermost(nested, parents, x.serial)
        if inner is not None:
            made.of[id(x)] = f"g{inner}"
    own_tensors(made, nested, parents, names, order)
    return made


def outermost_first(found: Iterable[Scope]) -> list[Scope]:
    """Scopes in an order in which outer ones come before inner ones; none where two threads computed at once, since the numbers
    of their values are mixed."""
    ordered = sorted(found, key=lambda s: (s.begin, -s.end))
    mixed = any(a.thread != b.thread and b.begin < a.end for a, b in pairwise(ordered))
    return [] if mixed else ordered


def parents_of(nested: Sequence[Scope]) -> list[int | None]:
    """For each scope, the one right around it."""
    parents: list[int | None] = []
    open_now: list[int] = []
    for k, s in enumerate(nested):
        while open_now and nested[open_now[-1]].end < s.begin:
            open_now.pop()
        parents.append(open_now[-1] if open_now else None)
        open_now.append(k)
    return parents


def innermost(nested: Sequence[Scope], parents: Sequence[int | None], serial: int) -> int | None:
    """The innermost scope in which the value of this number was made."""
    k: int | None = bisect_right(nested, serial, key=lambda s: s.begin) - 1
    k = None if k == -1 else k
    while k is not None and nested[k].end < serial:
        k = parents[k]
    return k


def alive(s: Scope) -> Any:
    return s.module() if s.module is not None else None


def names_of(nested: Sequence[Scope], parents: Sequence[int | None], given: Mapping[int, str]) -> list[str]:
    """What each scope is called: its own name, the dotted name from the outermost module that has it, or its class."""
    names: list[str] = []
    dotted: list[dict[int, str]] = []  # by id of a module, what the modules around call it
    for s, parent in zip(nested, parents):
        module, known = alive(s), dict(dotted[parent]) if parent is not None else {}
        if module is not None and id(module) not in known:
            known |= {id(m): name for name, m in module.named_modules()}
        dotted.append(known)
        names.append(s.name or given.get(id(module)) or known.get(id(module)) or s.kind)
    return names


def groups_of(nested: Sequence[Scope], parents: Sequence[int | None], names: Sequence[str]) -> list[Group]:
    which = [(name, s.kind, None if s.module is None else id(alive(s)), None if s.module else parent)
             for s, parent, name in zip(nested, parents, names)]
    calls, so_far = Counter(which), Counter[Any]()
    made = []
    for k, (s, parent, name, key) in enumerate(zip(nested, parents, names, which)):
        so_far[key] += 1
        made.append(Group(f"g{k}", name, s.kind, None if parent is None else f"g{parent}", so_far[key], calls[key]))
    return made


def own_tensors(made: Grouping, nested: Sequence[Scope], parents: Sequence[int | None], names: Sequence[str],
                order: Sequence[Recorded]) -> None:
    """Put the tensors of modules into the innermost group in which they are used, and call them by their dotted names."""
    tops = {id(module): (name, module) for s, parent, name in zip(nested, parents, names)
            if parent is None and (module := alive(s)) is not None}
    owned = {key: module.named_tensors() for key, (_, module) in tops.items()}
    users: dict[int, list[str | None]] = {}
    for x in order:
        for a in x.args:
            users.setdefault(id(a), []).append(made.of.get(id(x)))
    used = {key: {name: t for name, t in its.items() if id(t) in users} for key, its in owned.items()}
    several = sum(map(bool, used.values())) > 1
    for key, its in used.items():
        for name, t in its.items():
            group = made.common(users[id(t)])
            if group is not None:
                made.of[id(t)] = group
            if t.name in (None, name.rpartition(".")[2]):
                made.names.setdefault(id(t), f"{tops[key][0]}.{name}" if several else name)
