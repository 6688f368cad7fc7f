"""A report tells a whole training on one page: what came of it, how it went, and how to repeat it.

It is one file, without scripts, and fetches nothing.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from .curves import STYLE as CURVE_STYLE
from .curves import Panel, svg

MOST_CLASSES = 24  # whose confusion fits on a page as a matrix; of more, the most frequent mistakes are listed
MOST_MISTAKES = 20

STYLE = CURVE_STYLE + """
  :root { color-scheme: light dark; --ink: #24292f; --quiet: #57606a; --paper: #ffffff; --line: #d8dee4; --hit: 9 105 218;
    --miss: 207 34 46; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --quiet: #9198a1; --paper: #0d1117; --line: #2a313c;
    --hit: 56 139 253; --miss: 248 81 73; } }
  body { margin: 0 auto; padding: 1rem; max-width: 46rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink);
    background: var(--paper); }
  h1 { font-size: 1.4rem; line-height: 1.25; } h2 { font-size: 1.1rem; margin-top: 2rem; }
  p.quiet, figcaption, th { color: var(--quiet); }
  table { border-collapse: collapse; } th { font-weight: normal; text-align: left; }
  td, th { padding: .2rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
  .wide { overflow-x: auto; } .wide td, .wide th { overflow-wrap: normal; }
  .matrix td, .matrix thead th { text-align: right; font-variant-numeric: tabular-nums; border: 1px solid var(--line); }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); border-radius: 6px; padding: .6rem;
    margin: .3rem 0 1rem; font: 13px/1.45 ui-monospace, monospace; }
  figure { margin: 1rem 0; }
  @media (max-width: 30rem) { .matrix td, .matrix th { padding: .1rem .22rem; font-size: .85rem; } }
"""


@dataclass(frozen=True)
class Confusion:
    """How often what was predicted for what: `counts[i][j]` examples of class i were said to be of class j."""

    classes: Sequence[str]
    counts: Sequence[Sequence[int]]

    @staticmethod
    def of(targets: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any], classes: Sequence[str]) -> Confusion:
        """Counted from class numbers (n,), of the targets and as predicted.

        >>> import numpy as np
        >>> Confusion.of(np.array([0, 0, 1]), np.array([0, 1, 1]), ["cat", "dog"]).counts
        [[1, 1], [0, 1]]
        """
        many = len(classes)
        counts = np.bincount(np.asarray(targets) * many + np.asarray(predicted), minlength=many * many)
        return Confusion(list(classes), counts.reshape(many, many).tolist())

    def mistakes(self) -> list[tuple[int, str, str]]:
        """How often which class was taken for which, the most frequent first."""
        found = [(n, self.classes[i], self.classes[j]) for i, row in enumerate(self.counts) for j, n in enumerate(row)
                 if n and i != j]
        return sorted(found, key=lambda m: -m[0])


@dataclass(frozen=True)
class Sample:
    """Text that a model wrote, and when."""

    when: str
    text: str


@dataclass(frozen=True)
class Report:
    """What is told of a training: see `page`.

    `results` and `configuration` are names with what is shown for them; `panels` are the curves, `gradients` the size of each
    layer's gradient over time; `command` repeats the run.
    """

    title: str
    command: str
    results: Mapping[str, Any]
    configuration: Mapping[str, Any]
    x_label: str
    panels: Sequence[Panel]
    gradients: Panel | None = None
    confusion: Confusion | None = None
    samples: Sequence[Sample] = ()
    notes: Sequence[str] = field(default=())

    def page(self) -> str:
        """The report as HTML."""
        body = [f"<h1>{escape(self.title)}</h1>", *(f'<p class="quiet">{escape(note)}</p>' for note in self.notes),
                pairs(self.results), *self.curves(), *self.gradient_curves(), *self.confused(), *self.written(),
                "<h2>Configuration</h2>", pairs(self.configuration), "<h2>To repeat it</h2>",
                f"<pre>{escape(self.command)}</pre>"]
        return "\n".join([
            "<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">', f"<title>{escape(self.title)}</title>",
            f"<style>{STYLE}</style>", "</head>", "<body>", *body, "</body>", "</html>", ""])

    def curves(self) -> Iterable[str]:
        if self.panels:
            yield "<h2>How it went</h2>"
            yield figure(svg("", "", self.panels, x_label=self.x_label, style=""))

    def gradient_curves(self) -> Iterable[str]:
        if self.gradients and self.gradients.series:
            yield "<h2>Gradients, layer by layer</h2>"
            yield figure(svg("", "", [self.gradients], x_label=self.x_label, style=""),
                         "The norm of each layer's gradient; the first layers blue, the last ones red. Norms that shrink "
                         "from red to blue vanish on their way back, norms that grow explode.")

    def confused(self) -> Iterable[str]:
        if self.confusion is None:
            return
        yield "<h2>What was taken for what</h2>"
        if len(self.confusion.classes) <= MOST_CLASSES:
            yield matrix(self.confusion)
        mistakes = self.confusion.mistakes()[:MOST_MISTAKES]
        if not mistakes:
            yield "<p>Nothing was taken for anything else.</p>"
        elif len(self.confusion.classes) > MOST_CLASSES:
            yield listed(("times", "was", "taken for"), mistakes)

    def written(self) -> Iterable[str]:
        if self.samples:
            yield "<h2>What it wrote</h2>"
        for sample in self.samples:
            yield f'<p class="quiet">{escape(sample.when)}</p><pre>{escape(sample.text)}</pre>'


def figure(drawing: str, caption: str = "") -> str:
    return f"<figure>{drawing}{f'<figcaption>{escape(caption)}</figcaption>' if caption else ''}</figure>"


def pairs(rows: Mapping[str, Any]) -> str:
    """A table of names and what is shown for them."""
    cells = (f'<tr><th scope="row">{escape(str(name))}</th><td>{escape(str(value))}</td></tr>' for name, value in rows.items())
    return f"<table>{''.join(cells)}</table>"


def listed(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def matrix(confusion: Confusion) -> str:
    """A row for each class as it is, a column for each as predicted; the fuller a cell, the stronger its color."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in confusion.classes)
    rows = []
    for i, (name, counts) in enumerate(zip(confusion.classes, confusion.counts)):
        total = sum(counts)
        cells = [f'<th scope="row">{escape(name)}</th>']
        for j, n in enumerate(counts):
            share = min(1.0, (n / total if i == j else 4 * n / total) if total else 0.0)  # mistakes are rare: seen all the same
            tint = f' style="background: rgb(var(--{"hit" if i == j else "miss"}) / {0.6 * share:.2f})"' if n else ""
            cells.append(f"<td{tint}>{n or ''}</td>")
        cells.append(f"<td>{f'{counts[i] / total:.1%}' if total else ''}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (f'<p class="quiet">Rows: the class it is. Columns: the class predicted.</p><div class="wide"><table class="matrix">'
            f'<thead><tr><th></th>{top}<th scope="col">right</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>')
