"""An outcome is what was measured of one case, and what follows from it."""
from __future__ import annotations

import math
import statistics
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import CASES
from .worker import STARTING, Failed, Worker

CURVE_BAR, GRADIENT_BAR = 5e-4, {"float32": 1e-3, "float64": 1e-8}
OURS = "chainrule"


@dataclass
class Outcome:
    """Measurements by library; what a library could not do is missing, and told on standard error."""

    case: str
    flops: float
    dtype: str
    versions: dict[str, str] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)  # seconds of the first calls, without a cache
    warm: float | None = None  # seconds of our first calls, with a filled cache
    curves: dict[str, list[float]] = field(default_factory=dict)
    gradients: dict[str, dict[str, Any]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)  # operations per second in large matrix products
    times: dict[tuple[str, str], list[float]] = field(default_factory=dict)  # of a library's programs, one a round
    peaks: dict[str, float] = field(default_factory=dict)

    def tell(self, text: str) -> None:
        print(f"{self.case}: {text}", file=sys.stderr, flush=True)

    def attempt(self, library: str, worker: Worker, *question: Any) -> Any:
        """What a worker answers; None, after telling why, where it cannot."""
        try:
            return worker.ask(*question)
        except Failed as error:
            self.tell(f"{library} failed: {error}")
            return None

    def time(self, library: str, program: str = "step") -> float:
        """The median over the rounds, in seconds; not a number where there is none."""
        return statistics.median(self.times.get((library, program)) or [math.nan])

    def cold(self, library: str) -> float:
        """What the first calls took longer than later ones do."""
        return self.first.get(library, math.nan) - STARTING * self.time(library)

    @property
    def peers(self) -> dict[str, float]:
        """The peers' times for a step."""
        return {library: self.time(library) for library, program in self.times if program == "step" and library != OURS}

    @property
    def ratio(self) -> float:
        """The fastest peer's time over ours."""
        return min(self.peers.values(), default=math.nan) / self.time(OURS)

    @property
    def slope(self) -> float:
        """The time of the gradient over that of the loss, both compiled by us."""
        return self.time(OURS, "gradient") / self.time(OURS, "forward")

    @property
    def memory(self) -> float:
        """Our peak over PyTorch's."""
        return (self.peaks.get(OURS) or math.nan) / (self.peaks.get("torch") or math.nan)

    def agreement(self) -> list[tuple[str, float, float]]:
        """What was compared with ours, its relative difference, and the bar for it.

        Gradients are compared as one vector: where rounding moves a number across the kink of a relu, single elements jump.
        """
        found = []
        for library in self.versions:
            ours, theirs = self.curves.get(OURS), self.curves.get(library)
            if library != OURS and ours and theirs:
                found.append((f"losses of {library}", distance(ours, theirs), CURVE_BAR))
            mine, peer = self.gradients.get(OURS), self.gradients.get(library)
            if library != OURS and mine and peer:
                found.append((f"gradients of {library}", distance(*map(flat, (mine, peer))), GRADIENT_BAR[self.dtype]))
        return found

    def record(self) -> dict[str, Any]:
        """Everything but the arrays, to be kept as JSON."""
        return {"name": self.case, "versions": self.versions, "ratio": None if math.isnan(self.ratio) else self.ratio,
                "first calls, s": self.first, "warm first calls, s": self.warm,
                "times, s": {f"{library}, {program}": times for (library, program), times in self.times.items()},
                "peak, bytes": self.peaks, "matrix products, per s": max(self.rates, default=None), "flops": self.flops,
                "losses": self.curves, "agreement": self.agreement()}


def flat(gradient: dict[str, Any]) -> Any:
    """All numbers of a gradient in a row, whatever the order of its arrays."""
    return np.concatenate([np.ravel(gradient[name]) for name in sorted(gradient)])


def distance(a: Any, b: Any) -> float:
    """The length of the difference over the length of `a`; infinite where one is not a number."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    found = float(np.linalg.norm(a - b) / max(np.linalg.norm(a), np.finfo(np.float64).tiny))
    return math.inf if math.isnan(found) else found


def mark(value: float, bar: float | None, *, above: bool = True) -> str:
    """How a value stands to its bar: met, missed, or not known."""
    if bar is None or math.isnan(value):
        return ""
    return "met" if (value >= bar if above else value <= bar) else "missed"


def details(outcomes: list[Outcome], rate: dict[str, float]) -> str:
    """The second table: ratios beside their bars, and what else was measured of our step."""
    lines = [["case", "ratio", "at least", "aim", "of the limit", "at the limit", "gradient/forward", "cold (jax), s", "warm, s",
              "peak (torch; jax), MB", "difference"]]
    for o in outcomes:
        bars = [f"{bar:g} {mark(o.ratio, bar)}" if bar else "" for bar in (CASES[o.case].least, CASES[o.case].aim)]
        share = o.flops / o.time(OURS) / rate[o.dtype] if o.flops and rate[o.dtype] and CASES[o.case].least else 0.0
        limit = [f"{share:.0%}", f"{o.ratio / share:.2f}"] if share else ["", ""]
        ours, torch, jax = (f"{(o.peaks.get(library) or math.nan) / 1e6:.3g}" for library in (OURS, "torch", "jax"))
        warm = math.nan if o.warm is None else o.warm - STARTING * o.time(OURS)
        largest = max((d for _, d, _ in o.agreement()), default=math.nan)
        lines.append([o.case, f"{o.ratio:.2f}", *bars, *limit, f"{o.slope:.2f}", f"{o.cold(OURS):.2f} ({o.cold('jax'):.2f})",
                      f"{warm:.2f}", f"{ours} ({torch}; {jax})", f"{largest:.0e}"])
    widths = [max(map(len, column)) for column in zip(*lines)]
    lines.insert(1, ["-" * w for w in widths])
    return "\n".join("| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths)) + " |" for line in lines)
