"""A loop over lanes is divided into rounds of full vectors and a rest; a round may be several registers wide."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..loops.language import Apply, Array, Gather, Let, Loop, Read, Statement, Write
from ..loops.operations import CURVES
from .host import Host
from .names import walk

UNROLLED = 4
"""Registers per round where little is computed: enough independent sums to hide the latency of additions."""
NANOSECONDS = {"curve": 8.0, "plain": 0.35, "memory": 0.5}
"""What an operation of one register costs, about."""


@dataclass(frozen=True)
class Division:
    """`rounds` times `lanes` elements, then `rest` elements in a vector of `rest_lanes`."""

    lanes: int
    rounds: int
    rest: int
    rest_lanes: int

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.lanes,) * (self.rounds > 0) + (self.rest_lanes,) * (self.rest > 0)


def divided(loop: Loop, arrays: dict[str, Array], host: Host) -> Division:
    """The division with the fewest register operations; among equals the one with the widest rounds."""
    width = min(register_lanes(loop.body, arrays, host), power_above(loop.extent))
    best: tuple[int, Division] | None = None
    for registers in unrolling(loop, host):
        lanes = width * registers
        rounds, rest = divmod(loop.extent, lanes)
        if rounds == 0 and best is not None:
            continue
        rest_lanes = power_above(rest) if rest else 1
        work = rounds * registers + -(-rest_lanes // width) * (rest > 0)
        if best is None or work < best[0]:
            best = work, Division(lanes, rounds, rest, rest_lanes)
    assert best is not None
    return best[1]


def unrolling(loop: Loop, host: Host) -> tuple[int, ...]:
    """Registers per round to try, the most first."""
    curves = sum(isinstance(s, Let) and isinstance(s.value, Apply) and s.value.operation in CURVES for s in walk(loop.body))
    most = 1 if lane_by_lane(loop) else (2 if host.registers >= 32 else 1) if curves else UNROLLED
    return tuple(k for k in (4, 2, 1) if k <= most)


def lane_by_lane(loop: Loop) -> bool:
    """Whether elements are read or written one by one: from places that are not side by side."""
    for s in walk(loop.body):
        place = s if isinstance(s, Write) else s.value if isinstance(s, Let) and isinstance(s.value, Read) else None
        if place is not None and sum(step for name, step in place.index.terms if name == loop.variable) not in (-1, 0, 1):
            return True
    return False


def register_lanes(body: Iterable[Statement], arrays: dict[str, Array], host: Host) -> int:
    """How many elements go into one register: by the widest float that occurs, else by the widest element of an array."""
    floats: set[int] = set()
    others: set[int] = set()
    for s in walk(body):
        dtype = None
        if isinstance(s, Let) and isinstance(s.value, Read | Apply):
            dtype = arrays[s.value.array].dtype if isinstance(s.value, Read) else s.value.dtype
        elif isinstance(s, Write):
            dtype = arrays[s.array].dtype
        if dtype is not None:
            (floats if dtype.kind == "f" else others).add(dtype.itemsize)
    return host.lane_bits // (8 * max(max(floats or others or {8}), 2))


def power_above(n: int) -> int:
    """The least power of two that is not below n."""
    return 1 << max(n - 1, 0).bit_length()


def cost(body: Iterable[Statement], arrays: dict[str, Array], host: Host, lanes: int = 1) -> float:
    """About how many nanoseconds the statements take on one core."""
    total = 0.0
    for s in body:
        if isinstance(s, Loop) and s.kind == "vector" and lanes == 1:
            width = register_lanes(s.body, arrays, host)
            total += (s.extent / width if s.extent >= width else 1) * cost(s.body, arrays, host, width)
        elif isinstance(s, Loop):
            total += s.extent * cost(s.body, arrays, host, lanes)
        elif isinstance(s, Let) and isinstance(s.value, Apply):
            curve = s.value.operation in CURVES
            total += NANOSECONDS["curve" if curve else "plain"]
        elif isinstance(s, Let) and isinstance(s.value, Read):
            total += NANOSECONDS["memory"] * (1 if s.value.index.terms else 0)
        elif isinstance(s, Write | Gather):
            total += NANOSECONDS["memory" if isinstance(s, Write) else "plain"]
    return total
