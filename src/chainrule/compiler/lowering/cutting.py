"""A cut makes of a step what it does for one part of an outer axis: a smaller kernel, and how far it moves on to the next."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..loops.language import Contraction, Index, Kernel, Let, Loop, Position, Read, Statement, Write
from ..plan import Call, Launch, View
from .tidying import within, without


@dataclass(frozen=True)
class Piece:
    """A launch for the first part, and how far each of its arrays moves on to the next part, in elements."""

    launch: Launch
    steps: tuple[int, ...]


def piece(launch: Launch, parts: int) -> Piece | None:
    """A launch cut into so many equal parts along its outermost loop, whose rounds are independent; None where it has none."""
    cut = contraction_part if isinstance(launch.kernel, Contraction) else kernel_part
    found = cut(launch.kernel, parts) if isinstance(launch.kernel, Contraction | Kernel) else None
    if found is None or any(p.steps for p in launch.places):
        return None
    kernel, steps = found
    moves = tuple(steps.get(a.name, 0) for a in kernel.arrays)
    sizes = [a.size - step * (parts - 1) for a, step in zip(kernel.arrays, moves)]
    if min(moves, default=0) < 0 or min(sizes, default=1) < 1:
        return None
    arrays = tuple(replace(a, size=size) for a, size in zip(kernel.arrays, sizes))
    return Piece(Launch(replace(kernel, arrays=arrays), launch.places), moves)


def kernel_part(kernel: Kernel, parts: int) -> tuple[Kernel, dict[str, int]] | None:
    """The loop that does all the work, over a part of its rounds."""
    *before, loop = kernel.body
    if not isinstance(loop, Loop) or loop.kind == "serial" or loop.extent % parts or not all(isinstance(s, Let) for s in before):
        return None
    steps, rest = along(loop.body, loop.variable), loop.extent // parts
    if steps is None or along(before, loop.variable) is None:
        return None
    body = without(loop.body, loop.variable) if rest == 1 else (replace(loop, extent=rest),)
    return replace(kernel, body=(*before, *body)), {name: step * rest for name, step in steps.items()}


def contraction_part(kernel: Contraction, parts: int) -> tuple[Contraction, dict[str, int]] | None:
    """One place of the free axis of this size along which results lie farthest apart. If all places share a factor, it would be
    packed anew for each of them: such a product is not cut."""
    found = []
    for axis in kernel.axes:
        steps = along(kernel.epilogue, axis.name) if axis.size == parts and axis.left and axis.right else None
        if steps is not None and not steps.keys() & {kernel.left[0], kernel.right[0]}:
            found.append((max(steps.values(), default=0), axis, steps))
    if not found:
        return None
    _, axis, steps = max(found, key=lambda each: each[0])
    smaller = replace(kernel, axes=tuple(a for a in kernel.axes if a is not axis), epilogue=without(kernel.epilogue, axis.name))
    return smaller, {**steps, kernel.left[0]: axis.left, kernel.right[0]: axis.right}


def along(body: Iterable[Statement], variable: str) -> dict[str, int] | None:
    """How far a variable moves each array on; None where that differs within an array, or the variable is used as a number."""
    found: dict[str, int] = {}
    for s in within(tuple(body)):
        if isinstance(s, Let) and isinstance(s.value, Position) and s.value.variable == variable:
            return None
        at: Any = s if isinstance(s, Write) else s.value if isinstance(s, Let) and isinstance(s.value, Read) else None
        if at is not None and found.setdefault(at.array, step := stride(at.index, variable)) != step:
            return None
    return found


def stride(index: Index, variable: str) -> int:
    return sum(step for name, step in index.terms if name == variable)


STACKED = frozenset({"matmul", "chain_matmul"})
"""Operations that do each row of the first axis apart, where their arguments have it."""


def call_part(call: Call, parts: int) -> Call | None:
    """A call for the first part; its views are moved on by their first stride. None where it cannot be divided."""
    shape = call.targets[0].shape
    if call.prim.name not in STACKED or len(shape) < 3 or shape[0] != parts:
        return None

    def cut(x: Any) -> Any:
        divided = isinstance(x, View) and len(x.shape) == len(shape) and x.shape[0] == parts
        return replace(x, shape=(1, *x.shape[1:])) if divided else x
    return replace(call, args=tuple(map(cut, call.args)), targets=tuple(map(cut, call.targets)))
