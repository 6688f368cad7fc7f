"""The document of a page is one JSON object: all levels of a loss, from its modules down to its scalar gates."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.core.reverse import Recorded
from chainrule.errors import ChainruleError

from ..faces.data import check, group, merge, numbers
from ..formulas.formula import Formula
from ..formulas.writing import text
from ..paths.links import Links, links_of, size_of
from ..record.facts import Edge, Facts, Node
from ..record.opening import opened
from ..record.record import Record
from .arrays import array, packed

SCHEMA = "chainrule.page/1"
MOST_NUMBERS = 4_096  # of an array that is on the page in full
MOST_OPENED = 4_000  # values of a record whose gates can be opened on the page
MOST_PAIRS, MOST_LINKS = 2**16, 60_000  # of one edge, to look for links; of all edges, to have them on the page


@dataclass
class Level:
    """One graph on its way onto the page. `prefix` keeps the ids of parts apart from those of the gates they are parts of."""

    facts: Facts
    most: int
    left: int = MOST_LINKS
    notes: list[str] = field(default_factory=list)

    def node(self, n: Node, prefix: str = "", **more: Any) -> dict[str, Any]:
        return {
            "id": prefix + n.id, "name": n.name, "kind": n.kind, "operation": n.operation, "arguments": list(n.arguments),
            "formula": written(n.formula), "numbers": written(n.numbers), "value": array(n.value, self.most),
            "gradient": None if n.gradient is None else array(n.gradient, self.most), "gradient_name": text(n.gradient_name),
            "shape": list(n.shape), "dtype": n.dtype, "source": n.source, "group": n.group, "inside": None, "parts": [],
            "output": None} | more

    def edge(self, x: Edge, facts: Facts, prefix: str = "", **more: Any) -> dict[str, Any]:
        local = x.local and {"formula": said(x.local.formula), "numbers": said(x.local.numbers),
                             "value": array(x.local.value, self.most)}
        return {
            "id": prefix + x.id, "from": x.result, "to": x.argument, "position": x.position, "upstream": None, "local": local,
            "rule": said(x.rule), "numbers": said(x.numbers), "contribution": array(x.contribution, self.most),
            "size": numbers(size(x.contribution)), "summed": facts.is_summed(x), "part": False,
            "links": self.links(facts.replay.values[facts[x.result].name], x)} | more

    def links(self, result: Any, x: Edge) -> dict[str, Any] | None:
        """The pairs of elements that an edge connects, as long as there is room for them."""
        assert isinstance(result, Recorded)
        given = result.values[x.position]
        if size_of(result) * sum(np.size(part) for part in (given if isinstance(given, tuple) else (given,))) > MOST_PAIRS:
            return None
        try:
            found: Links = links_of(result, x.position)
        except (ChainruleError, NotImplementedError):  # a rule that cannot be run for all elements at once says nothing here
            return None
        if len(found.rows) > self.left:
            return None
        self.left -= len(found.rows)
        return {"rows": packed(found.rows, "<i4"), "cols": packed(found.columns, "<i4"), "slopes": packed(found.slopes, "<f8"),
                "count": len(found.rows)}


def written(formula: Formula | None) -> dict[str, str] | None:
    return None if formula is None else {"text": text(formula)}


def said(formula: Formula | None) -> str | None:
    return None if formula is None else text(formula)


def size(x: Any) -> float:
    with np.errstate(over="ignore"):
        return float(np.sqrt(sum(np.sum(np.square(np.asarray(p, np.float64))) for p in (x if isinstance(x, tuple) else (x,)))))


def graph(facts: Facts, most: int) -> dict[str, Any]:
    """The graph of some facts as they are."""
    level = Level(facts, most)
    return {"nodes": [level.node(n) for n in facts.nodes], "edges": [level.edge(x, facts) for x in facts.edges],
            "merges": [merge(m) for m in facts.merges], "groups": [group(g) for g in facts.groups]}


def gate_graph(facts: Facts, whole: Facts, most: int) -> dict[str, Any]:
    """The graph of scalar gates; a frame holds those that one operation of the whole loss is made of."""
    made = graph(facts, most)
    operations = {n.name for n in whole.nodes if n.kind == "operation"}
    homes = {n.id: home for n in facts.nodes if n.kind == "operation" and (home := n.inside or n.name) in operations}
    frames = {name: f"o{k}" for k, name in enumerate(dict.fromkeys(homes.values()))}
    made["groups"] += [{"id": key, "name": name, "kind": whole[name].operation, "parent": whole[name].group, "call": 1,
                        "calls": 1, "nodes": [i for i, home in homes.items() if home == name]} for name, key in frames.items()]
    for n in made["nodes"]:
        n["group"] = frames[homes[n["id"]]] if n["id"] in homes else n["group"]
    return made


def with_parts(facts: Facts, record: Record, most: int) -> dict[str, Any]:
    """The graph of a record whose gates have their parts beside them, each part with the gate it is inside.

    A gate of several outputs stays closed: there is no one part that computes the same value.
    """
    made, inner = graph(facts, most), opened(record).facts()
    gates = {n.inside for n in inner.nodes if n.inside and not isinstance(facts[n.inside].value, tuple)}
    gate_of = {n.id: gate for n in inner.nodes if (gate := n.inside or n.name) in gates}
    ids = {n.id: f"p{n.id}" if n.id in gate_of else facts[n.name].id for n in inner.nodes
           if n.id in gate_of or n.name in facts.index}
    level, by_id = Level(inner, most), {n["id"]: n for n in made["nodes"]}
    for n in inner.nodes:
        if n.id in gate_of:
            gate = gate_of[n.id]
            owner = by_id[facts[gate].id]
            owner["parts"].append(ids[n.id])
            owner["output"] = ids[n.id] if n.name == gate else owner["output"]
            arguments = [outside(a, gate, inner, facts, ids) for a in n.arguments]
            made["nodes"].append(level.node(n, "p", inside=owner["id"], arguments=arguments))
    for x in inner.edges:
        if x.result in gate_of:
            made["edges"].append(level.edge(x, inner, "p", part=True) | {
                "from": ids[x.result], "to": outside(x.argument, gate_of[x.result], inner, facts, ids)})
    return made


def outside(argument: str, gate: str, inner: Facts, facts: Facts, ids: dict[str, str]) -> str:
    """The id of an argument of a part: another part of the same gate, or a value before the gate, by its closed id."""
    a = inner[argument]
    return ids[argument] if a.inside == gate or a.name == gate else facts[a.name].id


def page_data(facts: Facts, record: Record, *, title: str, lesson: str | None = None, gates: Facts | None = None,
              gates_note: str | None = None, derivation: Iterable[tuple[str, str]] = (),
              most: int = MOST_NUMBERS) -> dict[str, Any]:
    """Everything the page draws; `facts` are those of `record` with all gates closed, `gates` those of its scalar gates."""
    notes = []
    if len(facts.nodes) <= MOST_OPENED:
        whole = with_parts(facts, record, most)
    else:
        whole = graph(facts, most)
        notes.append(f"The graph has {len(facts.nodes):,} values; beyond {MOST_OPENED:,}, gates are not opened on the page. "
                     "e.open(name) opens one.")
    return {
        "schema": SCHEMA, "title": title, "lesson": lesson, "loss": facts.loss, "graph": whole,
        "gates": None if gates is None else gate_graph(gates, facts, most), "gates_note": gates_note,
        "derivation": [{"title": head, "html": markup} for head, markup in derivation],
        "checks": [check(c) for c in facts.checks], "notes": notes}
