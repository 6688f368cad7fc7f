"""A curve shows a measured number as it changed, in the terminal and as an SVG file."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from .axis import Axis, axis, label

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # the bits of a braille character, by row and column
NARROWEST = 20


@dataclass(frozen=True)
class Series:
    """Numbers measured one after another, with where each was measured; `faint` is drawn behind the others."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    faint: bool = False

    def finite(self) -> list[tuple[float, float]]:
        return [(x, y) for x, y in zip(self.xs, self.ys) if math.isfinite(y)]


@dataclass(frozen=True)
class Panel:
    """One diagram: curves over a common horizontal axis, whose numbers are shares if `percent`."""

    title: str
    series: Sequence[Series]
    percent: bool = False

    def only(self, name: str) -> Panel:
        """The panel with the curve of this name alone."""
        return Panel(self.title, [s for s in self.series if s.name == name], self.percent)

    def axes(self) -> tuple[Axis, Axis]:
        xs = [x for s in self.series for x, _ in s.finite()] or [0.0, 1.0]
        across = Axis(min(0.0, *xs), max(xs) if max(xs) > 0 else 1.0)
        return across, axis([y for s in self.series for _, y in s.finite()], log=False if self.percent else None)


# ---------------------------------------------------------------------------------------- in the terminal
def terminal(panel: Panel, *, x_label: str = "step", width: int = 80, height: int = 10, plain: bool = False) -> str:
    """The first curve of a panel in braille dots (`plain`: in ASCII), at most `width` columns wide, `height` lines high."""
    across, up = panel.axes()
    labels = row_labels(up, height, percent=panel.percent)
    margin = max(map(len, labels))
    columns = max(min(width, 200), NARROWEST) - margin - 2
    rows = plot(panel.series[0].finite(), across, up, columns, height, plain=plain)
    bar, tick, corner, line = "|+`-" if plain else "│┤└─"
    body = [f"{text:>{margin}} {tick if text else bar}{row}".rstrip() for text, row in zip(labels, rows)]
    scale = " (log scale)" if up.log else ""
    heading = f"{' ' * margin} {panel.title} by {x_label}{scale}"[:margin + 2 + columns]
    return "\n".join([heading, *body, f"{' ' * margin} {corner}{line * columns}",
                      " " * (margin + 2) + column_labels(across, columns)])


def row_labels(up: Axis, height: int, *, percent: bool) -> list[str]:
    """The text in front of each line, from the top; empty where there is no round number."""
    rows = [""] * height
    for value in up.ticks(max(height // 2, 2)):
        rows[height - 1 - min(int(up.place(value) * height), height - 1)] = label(value, percent=percent)
    return rows


def column_labels(across: Axis, columns: int) -> str:
    """Round numbers under their places, as many as fit without touching."""
    line = ""
    for value in across.ticks(max(columns // 8, 2)):
        text = label(value)
        start = min(round(across.place(value) * (columns - 1)), columns - len(text))
        if start > len(line) or not line:
            line = line.ljust(start) + text
    return line


def plot(points: list[tuple[float, float]], across: Axis, up: Axis, columns: int, height: int, *, plain: bool) -> list[str]:
    """Lines of characters in which the points are joined."""
    wide, high = (columns, height) if plain else (2 * columns, 4 * height)
    lit: set[tuple[int, int]] = set()
    before: int | None = None
    for column, value in sampled(points, across, wide):
        level = min(int(up.place(value) * high), high - 1)
        low, top = sorted((level, level if before is None else before))
        lit.update((column, y) for y in range(low + (low != level), top + (top == level)))
        lit.add((column, level))
        before = level
    if plain:
        return ["".join("*" if (c, high - 1 - r) in lit else " " for c in range(wide)) for r in range(high)]
    return ["".join(chr(0x2800 + sum(DOTS[i][j] for i in range(4) for j in range(2)
                                     if (2 * c + j, high - 1 - (4 * r + i)) in lit)) for c in range(columns))
            for r in range(height)]


def sampled(points: list[tuple[float, float]], across: Axis, wide: int) -> list[tuple[int, float]]:
    """One value per column: the mean of the points in it, and between them on a straight line."""
    bins: dict[int, list[float]] = {}
    for x, y in points:
        bins.setdefault(round(across.place(x) * (wide - 1)), []).append(y)
    means = sorted((column, sum(ys) / len(ys)) for column, ys in bins.items())
    joined = means[:1]
    for (c0, y0), (c1, y1) in pairwise(means):
        joined += [(c, y0 + (y1 - y0) * (c - c0) / (c1 - c0)) for c in range(c0 + 1, c1 + 1)]
    return joined


# ---------------------------------------------------------------------------------------- as a file
WIDTH, PANEL_HEIGHT, LEFT, RIGHT, TOP, GAP = 720, 240, 64, 24, 64, 56
KEY_COLUMNS, KEY_HEIGHT = 3, 20
STYLE = """
  .curves { font: 13px system-ui, sans-serif; max-width: 100%; height: auto; }
  .curves .paper { fill: #ffffff; } .curves text { fill: #24292f; } .curves .quiet { fill: #57606a; }
  .curves .grid { stroke: #d8dee4; } .curves .frame { stroke: #8c959f; fill: none; }
  .curves polyline { fill: none; stroke-width: 2; stroke-linejoin: round; } .curves .faint { stroke-width: 1; opacity: .3; }
  .curves .title { font-size: 16px; font-weight: 600; } .curves .name { font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .curves .paper { fill: #0d1117; } .curves text { fill: #e6edf3; } .curves .quiet { fill: #9198a1; }
    .curves .grid { stroke: #2a313c; } .curves .frame { stroke: #656c76; }
  }
"""


def svg(title: str, subtitle: str, panels: Sequence[Panel], *, x_label: str, style: str = STYLE) -> str:
    """A picture of the panels, one below the other, readable on light and on dark; on a page that has the style, without it."""
    tops, height = [], TOP if title or subtitle else 0
    for panel in panels:
        tops.append(height + 24)
        height += PANEL_HEIGHT + GAP + key_rows(panel) * KEY_HEIGHT
    parts = [drawn(panel, top, x_label) for panel, top in zip(panels, tops)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" class="curves" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img">', f"<title>{escape(title)}</title>", *([f"<style>{style}</style>"] if style else []),
        '<rect class="paper" width="100%" height="100%"/>',
        *([f'<text class="title" x="{LEFT}" y="28">{escape(title)}</text>'] if title else []),
        *([f'<text class="quiet" x="{LEFT}" y="48">{escape(subtitle)}</text>'] if subtitle else []), *parts, "</svg>", ""])


def key_rows(panel: Panel) -> int:
    """How many lines say which color is which: none where there is one curve."""
    clear = sum(not s.faint for s in panel.series)
    return -(-clear // KEY_COLUMNS) if clear > 1 else 0


def color(number: int, many: int) -> str:
    """The color of a curve, the same on light and on dark: blue for the first, by way of green and orange to red for the last."""
    hue = 212 if many == 1 else (212 - 212 * number / (many - 1)) % 360
    return f"hsl({hue:.0f} 75% 42%)"


def drawn(panel: Panel, top: float, x_label: str) -> str:
    """A panel: its frame with round numbers around it, the curves, and where there are several, which is which."""
    across, up = panel.axes()
    right, bottom = WIDTH - RIGHT, top + PANEL_HEIGHT - 24

    def x(value: float) -> float:
        return LEFT + across.place(value) * (right - LEFT)

    def y(value: float) -> float:
        return bottom - up.place(value) * (bottom - top)
    scale = " (log scale)" if up.log else ""
    out = [f'<text class="name" x="{LEFT}" y="{top - 8}">{escape(panel.title + scale)}</text>']
    for value in up.ticks(7):
        out += [f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>',
                f'<text class="quiet" text-anchor="end" x="{LEFT - 8}" y="{y(value) + 4:.1f}">'
                f"{label(value, percent=panel.percent)}</text>"]
    for value in across.ticks(11):
        out.append(f'<text class="quiet" text-anchor="middle" x="{x(value):.1f}" y="{bottom + 18}">{label(value)}</text>')
    out += [f'<text class="quiet" text-anchor="end" x="{right}" y="{bottom + 34}">{escape(x_label)}</text>',
            f'<rect class="frame" x="{LEFT}" y="{top}" width="{right - LEFT}" height="{bottom - top}"/>']
    clear = [s for s in panel.series if not s.faint]
    out += [curve(s, color(0, 1), x, y) for s in panel.series if s.faint]
    out += [curve(s, color(i, len(clear)), x, y) for i, s in enumerate(clear)]
    return "\n".join([*out, *(key(clear, bottom + 52) if len(clear) > 1 else [])])


def curve(series: Series, stroke: str, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    """A line through the points, and unless it is faint a dot on the last."""
    points = [(x(a), y(b)) for a, b in series.finite()]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    line = (f'<polyline class="{"faint" if series.faint else "curve"}" stroke="{stroke}" points="{path}">'
            f"<title>{escape(series.name)}</title></polyline>")
    if not points or series.faint:
        return line
    return f'{line}\n<circle cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="3" fill="{stroke}"/>'


def key(clear: Sequence[Series], top: float) -> list[str]:
    """Which color is which, in columns read from the left."""
    wide = (WIDTH - LEFT - RIGHT) // KEY_COLUMNS
    out = []
    for i, series in enumerate(clear):
        left, line = LEFT + i % KEY_COLUMNS * wide, top + i // KEY_COLUMNS * KEY_HEIGHT
        name = series.name if len(series.name) <= 26 else f"...{series.name[-23:]}"
        out += [f'<circle cx="{left + 5}" cy="{line - 4}" r="5" fill="{color(i, len(clear))}"/>',
                f'<text class="quiet" x="{left + 16}" y="{line}">{escape(name)}</text>']
    return out
