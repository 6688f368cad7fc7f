"""The data of an explanation are its facts as JSON; `docs/json.md` says what each entry means."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..element.terms import Reconciled
from ..formulas.formula import Formula
from ..formulas.writing import latex, text
from ..record.facts import Check, Edge, Facts, Group, Merge, Node

if TYPE_CHECKING:
    from ..paths.paths import Paths, Step

SCHEMA = "chainrule.explanation/1"
ELEMENT_SCHEMA = "chainrule.element/1"
PATHS_SCHEMA = "chainrule.paths/1"


def dumped(data: dict[str, Any]) -> str:
    """Data as all our documents are written: people's own characters, a line for each entry, and no number JSON does not know."""
    return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)


def as_json(e: Facts) -> str:
    return dumped(as_data(e))


def as_data(e: Facts) -> dict[str, Any]:
    """The facts in dicts, lists, strings and numbers."""
    return {
        "schema": SCHEMA,
        "loss": e.loss,
        "value": numbers(e[e.loss].value),
        "nodes": [node(n) for n in e.nodes],
        "edges": [edge(x) for x in e.edges],
        "merges": [merge(m) for m in e.merges],
        "groups": [group(g) for g in e.groups],
        "gradients": {name: numbers(g) for name, g in e.gradients.items()},
        "derivations": {name: written(f) for name, f in e.derivations.items()},
        "checks": [check(c) for c in e.checks],
    }


def element_json(s: Reconciled) -> str:
    return dumped(element_data(s))


def element_data(s: Reconciled) -> dict[str, Any]:
    """One number of a gradient, its terms and its checks."""
    return {
        "schema": ELEMENT_SCHEMA,
        "loss": s.loss,
        "node": s.node,
        "index": list(s.index),
        "terms": [{"edge": t.edge, "from": t.result, "output": t.output, "index": list(t.index), "upstream": numbers(t.upstream),
                   "local": numbers(t.local), "value": numbers(t.value)} for t in s.terms],
        "uses": [{"edge": u.edge, "by": u.result, "terms": u.terms, "elements": u.elements} for u in s.uses],
        "total": numbers(s.total),
        "gradient": numbers(s.gradient),
        "residual": numbers(s.residual),
        "difference": numbers(s.difference),
        "agrees": s.check.agrees,
        "note": s.check.note,
    }


def paths_json(p: Paths) -> str:
    return dumped(paths_data(p))


def paths_data(p: Paths) -> dict[str, Any]:
    """The strongest paths, and what is true of all."""
    return {
        "schema": PATHS_SCHEMA, "loss": p.loss, "node": p.name, "by": p.by, "count": p.count, "mass": numbers(p.mass),
        "entropy": numbers(p.entropy), "cancelled": numbers(p.cancelled), "gradient": numbers(p.gradient), "paths": [
            {"product": numbers(path.product), "share": numbers(path.share), "of_gradient": numbers(path.of_gradient),
             "steps": [step(s) for s in path.steps]} for path in p]}


def step(s: Step) -> dict[str, Any]:
    return {"node": s.node, "index": None if s.index is None else list(s.index), "edge": s.edge, "local": numbers(s.local)}


def node(n: Node) -> dict[str, Any]:
    return {
        "id": n.id, "name": n.name, "kind": n.kind, "operation": n.operation, "arguments": list(n.arguments),
        "options": {k: repr(v) for k, v in n.options.items()}, "formula": written(n.formula), "numbers": written(n.numbers),
        "value": numbers(n.value), "shape": list(n.shape), "dtype": n.dtype, "gradient": numbers(n.gradient), "source": n.source,
        "opens": n.opens, "inside": n.inside, "group": n.group}


def edge(x: Edge) -> dict[str, Any]:
    local = x.local and {"formula": written(x.local.formula), "numbers": written(x.local.numbers),
                         "value": numbers(x.local.value)}
    return {
        "id": x.id, "from": x.result, "to": x.argument, "position": x.position, "upstream": numbers(x.upstream), "local": local,
        "rule": written(x.rule), "numbers": written(x.numbers), "contribution": numbers(x.contribution)}


def merge(m: Merge) -> dict[str, Any]:
    return {
        "node": m.node, "edges": list(m.edges), "total": numbers(m.total), "cancelled": numbers(m.cancelled), "branches": [
            {"edge": b.edge, "size": numbers(b.size), "share": numbers(b.share), "angle": numbers(b.angle), "role": b.role}
            for b in m.branches]}


def group(g: Group) -> dict[str, Any]:
    return {"id": g.id, "name": g.name, "kind": g.kind, "parent": g.parent, "call": g.call, "calls": g.calls,
            "nodes": list(g.nodes)}


def check(c: Check) -> dict[str, Any]:
    return {
        "node": c.node, "index": list(c.index), "gradient": numbers(c.gradient), "difference": numbers(c.difference),
        "residual": numbers(c.residual), "agrees": c.agrees, "note": c.note}


def written(formula: Formula | None) -> dict[str, str] | None:
    return None if formula is None else {"text": text(formula), "latex": latex(formula)}


def numbers(x: Any) -> Any:
    """An array as nested lists; JSON has no infinity and no NaN, so these are strings."""
    if x is None:
        return None
    if isinstance(x, tuple):
        return [numbers(part) for part in x]
    array = np.asarray(x)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return strings(array.tolist())
    return array.tolist()


def strings(x: Any) -> Any:
    if isinstance(x, list):
        return [strings(part) for part in x]
    return x if np.isfinite(x) else str(x)
