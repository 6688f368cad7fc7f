"""Merging is what contributions do in a value used more than once: they add up, or take from one another."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .facts import Branch, Edge, Merge, Node

MOST_BRANCHES, LONGEST_BLOCK = 8, 500  # of a residual connection: edges that meet, values inside the block
ROUNDING = 1e-12  # a sum of the others smaller than this, beside the largest, is nothing but rounding


def merged(node: str, edges: Sequence[Edge], total: Any, nodes: Mapping[str, Node]) -> Merge:
    """The contributions of all edges into a node, side by side, in the order of the edges; `nodes` are all nodes by id."""
    with np.errstate(all="ignore"):
        parts = [np.asarray(edge.contribution, np.float64) for edge in edges]
        whole = sum(parts)
        sizes = [float(np.linalg.norm(part)) for part in parts]
        square = float(np.sum(whole * whole))
        branches, its_roles = [], roles(node, edges, nodes)
        for k, (edge, part, size) in enumerate(zip(edges, parts, sizes)):
            others = parts[1 - k] if len(parts) == 2 else whole - part
            share = float(np.sum(part * whole)) / square if square else float("nan")
            branches.append(Branch(edge.id, size, share, angle(part, others, ROUNDING * max(sizes)), its_roles[k]))
        together = sum(sizes)
        cancelled = max(0.0, 1 - np.sqrt(square) / together) if together else 0.0
    return Merge(node, tuple(edge.id for edge in edges), total, tuple(branches), float(cancelled))


def roles(node: str, edges: Sequence[Edge], nodes: Mapping[str, Node]) -> list[str | None]:
    """What each edge into x is in a residual connection x + F(x): the skip, an edge of the block, or None."""
    found: list[str | None] = [None] * len(edges)
    if len(edges) > MOST_BRANCHES:
        return found
    for k, edge in enumerate(edges):
        result = nodes[edge.result]
        if result.operation != "add" or len(result.arguments) != 2 or result.arguments[0] == result.arguments[1]:
            continue
        block = way(result.arguments[1 - edge.position], node, nodes)
        inside = [i for i, other in enumerate(edges) if i != k and other.result in block]
        for i in inside:
            found[i] = "block"
        if inside:
            found[k] = "skip"
    return found


def way(start: str, end: str, nodes: Mapping[str, Node]) -> set[str]:
    """The values on the way from `start` back, stopping at `end`; none where there are too many for a block."""
    seen, waiting = {start}, [start]
    while waiting and len(seen) <= LONGEST_BLOCK:
        for a in nodes[waiting.pop()].arguments:
            if a not in seen and a != end and nodes[a].kind == "operation":
                seen.add(a)
                waiting.append(a)
    return seen if len(seen) <= LONGEST_BLOCK else set()


def angle(a: Any, b: Any, least: float) -> float | None:
    """The angle between two arrays in degrees; None where one of them has no direction."""
    size, other = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if not (size > least and other > least):
        return None
    a, b = a / size, b / other  # between them, by W. Kahan's formula, which is sharp for small angles too
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))))
