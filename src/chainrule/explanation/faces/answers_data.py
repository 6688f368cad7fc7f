"""The data of an answer are its facts as JSON, one schema for each question; `docs/json.md` says what each entry means."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .data import dumped, numbers

if TYPE_CHECKING:
    from ..comparing.comparison import Comparison, Difference, EdgePair, Lone, Row
    from ..comparing.what_if import Move, Switch, WhatIf
    from ..diagnosis.birth import Birth
    from ..diagnosis.reasons import Why
    from ..practice.derivation_check import DerivationCheck, Step
    from ..record.places import Place

WHY_SCHEMA = "chainrule.why/1"
BIRTH_SCHEMA = "chainrule.birth/1"
COMPARISON_SCHEMA = "chainrule.comparison/1"
WHAT_IF_SCHEMA = "chainrule.what_if/1"
DERIVATION_CHECK_SCHEMA = "chainrule.derivation_check/1"


# ---------------------------------------------------------------------------------------- why, birth
def why_json(w: Why) -> str:
    """Why a gradient is missing, zero or tiny."""
    return dumped({
        "schema": WHY_SCHEMA, "loss": w.loss, "node": w.node, "value": w.value, "kind": w.kind, "gradient": numbers(w.gradient),
        "zeros": w.zeros, "dead": list(w.dead), "cuts": [place(p) for p in w.cuts], "note": w.note})


def place(p: Place) -> dict[str, Any]:
    return {"kind": p.kind, "line": p.line, "source": p.source, "says": p.says, "path": list(p.path), "sure": p.sure}


def birth_json(b: Birth) -> str:
    """Where a NaN was born."""
    fix = b.fix and {"title": b.fix.title, "loss": numbers(b.fix.loss), "largest_gradient": numbers(b.fix.largest_gradient)}
    return dumped({
        "schema": BIRTH_SCHEMA, "kind": b.kind, "operation": b.operation, "index": list(b.index), "line": b.line,
        "value": b.value or None, "arithmetic": b.arithmetic, "path": list(b.path), "fix": fix})


# ---------------------------------------------------------------------------------------- two losses
def comparison_json(c: Comparison) -> str:
    """Two losses side by side."""
    return dumped({
        "schema": COMPARISON_SCHEMA, "same": c.same, "first_value": row(c.first_value) if c.first_value else None,
        "first_edge": edge_pair(c.first_edge) if c.first_edge else None, "only_a": [lone(x) for x in c.only_a],
        "only_b": [lone(x) for x in c.only_b], "rows": [row(r) for r in c.rows]})


def row(r: Row) -> dict[str, Any]:
    return {"a": lone(r.a), "b": lone(r.b), "value": difference(r.value), "gradient": difference(r.gradient), "why": list(r.why)}


def lone(x: Lone) -> dict[str, Any]:
    return {"name": x.name, "operation": x.operation, "shape": list(x.shape), "source": x.source}


def difference(d: Difference | None) -> dict[str, Any] | None:
    return d and {
        "differs": d.differs, "absolute": numbers(d.absolute), "relative": numbers(d.relative),
        "index": None if d.index is None else list(d.index), "a": numbers(d.a), "b": numbers(d.b)}


def edge_pair(e: EdgePair) -> dict[str, Any]:
    return {
        "a": lone(e.result.a), "b": lone(e.result.b), "argument": e.argument, "position": e.position, "cause": e.cause,
        "upstream": difference(e.upstream), "contribution": difference(e.contribution), "note": e.note}


# ---------------------------------------------------------------------------------------- one loss, with another value
def what_if_json(w: WhatIf) -> str:
    """What moves when a value is another."""
    return dumped({
        "schema": WHAT_IF_SCHEMA, "changes": [move(m) for m in w.changes], "loss": move(w.loss),
        "values": [move(m) for m in w.values], "gradients": [move(m) for m in w.gradients],
        "switches": [switch(s) for s in w.switches], "held": list(w.held), "asked": list(w.asked)})


def move(m: Move) -> dict[str, Any]:
    return {"name": m.name, "before": numbers(m.before), "after": numbers(m.after), "predicted": numbers(m.predicted),
            "move": numbers(m.move), "ratio": numbers(m.ratio)}


def switch(s: Switch) -> dict[str, Any]:
    return {"name": s.name, "operation": s.operation, "source": s.source, "indices": [list(i) for i in s.indices],
            "before": numbers(list(s.before)), "after": numbers(list(s.after)), "size": s.size}


# ---------------------------------------------------------------------------------------- a derivation
def derivation_check_json(c: DerivationCheck) -> str:
    """A derivation beside the engine's gradients, step by step."""
    return dumped({
        "schema": DERIVATION_CHECK_SCHEMA, "loss": c.loss, "ok": c.ok, "first_wrong": c.first_wrong and c.first_wrong.name,
        "steps": [checked(s) for s in c.steps]})


def checked(s: Step) -> dict[str, Any]:
    return {"name": s.name, "node": s.value, "verdict": s.verdict, "given": numbers(s.given), "expected": numbers(s.expected),
            "difference": numbers(s.difference), "index": list(s.index),
            "slips": [{"name": found.name, "remedy": found.remedy} for found in s.slips]}
