"""Merging is what contributions do in a value used more than once: they add up, or take from one another."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .facts import Branch, Edge, Merge

ROUNDING = 1e-12  # a sum of the others smaller than this, beside the largest, is nothing but rounding


def merged(node: str, edges: Sequence[Edge], total: Any) -> Merge:
    """The contributions of all edges into a node, side by side, in the order of the edges."""
    with np.errstate(all="ignore"):
        parts = [np.asarray(edge.contribution, np.float64) for edge in edges]
        whole = sum(parts)
        sizes = [float(np.linalg.norm(part)) for part in parts]
        square = float(np.sum(whole * whole))
        branches = []
        for k, (edge, part, size) in enumerate(zip(edges, parts, sizes)):
            others = parts[1 - k] if len(parts) == 2 else whole - part
            share = float(np.sum(part * whole)) / square if square else float("nan")
            branches.append(Branch(edge.id, size, share, angle(part, others, ROUNDING * max(sizes))))
        together = sum(sizes)
        cancelled = max(0.0, 1 - np.sqrt(square) / together) if together else 0.0
    return Merge(node, tuple(edge.id for edge in edges), total, tuple(branches), float(cancelled))


def angle(a: Any, b: Any, least: float) -> float | None:
    """The angle between two arrays in degrees; None where one of them has no direction."""
    size, other = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if not (size > least and other > least):
        return None
    a, b = a / size, b / other  # between them, by W. Kahan's formula, which is sharp for small angles too
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))))
