"""A layout puts a contraction in lanes: along a free axis, or along a summed one."""
from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..loops.language import Axis, Contraction, Write
from .axes import Roles, roles, stride, swapped
from .schedule import NOTHING

TURNED = 0.3  # steps to pack an element that must be moved across lanes, where whole squares can be turned
SINGLE = 1.5  # where each goes alone
SCATTERED = 3.0  # steps to write a result that has no neighbour
HALVED = 3.0  # steps to add up the lanes of a sum


@dataclass(frozen=True)
class Layout:
    """One way to do it, and about how many steps it takes; a step is one multiply-add of a whole register."""

    contraction: Contraction
    roles: Roles
    lane: Axis
    width: int
    depth: int
    steps: float


def power(n: int) -> int:
    """The smallest power of two that is not below n."""
    return 1 << max(n - 1, 0).bit_length()


def written_together(contraction: Contraction, axis: Axis) -> bool:
    """Whether neighbours along the axis are written to neighbouring places."""
    return all(stride(s.index, axis.name) in (0, 1) for s in contraction.epilogue if isinstance(s, Write))


def across(contraction: Contraction, kind: Roles, lane: Axis, lanes: int) -> Layout:
    """Lanes along a free axis: neighbours must lie side by side in the right array, or be put there first."""
    total = prod(a.size for a in contraction.axes)
    width = min(lanes, power(lane.size))
    used = -(-lane.size // width) * width / lane.size
    dense = any(a.right == 1 for a in kind.sums)
    pack = 0.0 if lane.right == 1 else (TURNED if dense else SINGLE) * total / prod(a.size for a in kind.rows)
    results = total / max(prod(a.size for a in kind.sums), 1)
    scatter = 0.0 if written_together(contraction, lane) else SCATTERED * results
    return Layout(contraction, kind, lane, width, 1, total * used / width + pack + scatter)


def along(contraction: Contraction, kind: Roles, lanes: int) -> list[Layout]:
    """Lanes along the innermost summed axis, added up at the end."""
    if not kind.sums or kind.sums[-1].left != 1 or kind.sums[-1].right != 1:
        return []
    inner = kind.sums[-1].size
    depth = min(lanes, power(inner))
    results = prod(a.size for a in contraction.axes if not a.summed)
    steps = results * (prod(a.size for a in kind.sums[:-1]) * -(-inner // depth) * 1.2 + HALVED)
    lane = kind.columns[-1] if kind.columns else NOTHING
    return [Layout(contraction, kind, lane, 1, depth, steps)]


def best_layout(contraction: Contraction, lanes: int) -> Layout:
    """The layout with the fewest steps; left and right may be exchanged."""
    found: list[Layout] = []
    for way in (contraction, swapped(contraction)):
        kind = roles(way.axes)
        together = [a for a in kind.batch if a.right == 1 and a.left in (0, 1)]
        found += [across(way, kind, axis, lanes) for axis in (*kind.columns, *together)]
        found += along(way, kind, lanes)
    alone = Layout(contraction, roles(contraction.axes), NOTHING, 1, 1, 0.0)
    return min(found, key=lambda way: way.steps, default=alone)
