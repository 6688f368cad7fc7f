"""An axis maps numbers to a length, and marks round ones among them."""
from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

DECADES_FOR_LOG = 1.0  # from this many powers of ten on, a logarithmic axis shows more than a linear one


@dataclass(frozen=True)
class Axis:
    """The numbers from `low` to `high`, spread evenly, or by their logarithms."""

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Where on the axis a number lies: 0 at the low end, 1 at the high end; outside numbers go to the nearer end."""
        value = min(max(value, self.low), self.high)
        if self.log:
            low = math.log(self.low)  # logarithms apart: the quotient of the numbers may overflow
            return (math.log(value) - low) / (math.log(self.high) - low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, at_most: int) -> list[float]:
        """Round numbers on the axis, at most so many, and one at least where any fits."""
        rows = log_steps(self.low, self.high) if self.log else linear_steps(self.low, self.high)
        last: list[float] = []
        for row in rows:
            if len(row) > max(at_most, 1):
                break
            last = row
        return last


def axis(values: Iterable[float], *, log: bool | None = None, low: float | None = None) -> Axis:
    """The axis that holds all finite values with a little air; logarithmic where they are positive and span a decade."""
    finite = [v for v in values if math.isfinite(v)] or [0.0, 1.0]
    least, most = min(finite), max(finite)
    if log is None:
        log = least > 0 and math.log10(most) - math.log10(least) >= DECADES_FOR_LOG
    if log:
        return Axis(least / 1.1, most * 1.1, log=True)
    air = 0.05 * (most - least) or 0.05 * abs(most) or 0.5
    return Axis(least - air if low is None else low, most + air)


def linear_steps(low: float, high: float) -> Iterable[list[float]]:
    """Multiples of 1, 2 and 5 times powers of ten, from few to many."""
    power = math.floor(math.log10(high - low)) + 1
    for exponent in range(power, power - 4, -1):
        for step in (5 * 10.0 ** exponent, 2 * 10.0 ** exponent, 10.0 ** exponent):
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
            yield [round(i * step, 12 - exponent) for i in range(first, last + 1)]


def log_steps(low: float, high: float) -> Iterable[list[float]]:
    """Every so many powers of ten, then 1-2-5, from few to many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for apart in range(last - first, 0, -1):
        yield [v for e in range(first, last + 1) if e % apart == 0 and low <= (v := 10.0 ** e) <= high]
    for digits in ((1, 3), (1, 2, 5)):
        yield [v for e in range(first, last + 1) for d in digits if low <= (v := d * 10.0 ** e) <= high]


def label(value: float, *, percent: bool = False) -> str:
    """A number as it stands beside an axis."""
    if percent:
        return f"{100 * value:.10g}%"
    return f"{value:.10g}" if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
