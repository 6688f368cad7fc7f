"""A fragment is an answer as HTML: one `<div>` with its own style; all that is put into it is escaped."""
from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from ..formulas.writing import plain_number, plain_shape
from .lines import short_line
from .text import array_cell

LONG = 24  # characters: code that is longer is not squeezed narrower in a table
MOST_EXACT = 64  # numbers of an array in a title
STYLE = """
div.chainrule { color-scheme: light dark; color: light-dark(#1f2328, #e6edf3); background: light-dark(#fff, #0d1117);
  border: 1px solid light-dark(#d0d7de, #30363d); border-radius: 6px; box-sizing: border-box; max-width: 62em; padding: .5em 1em;
  font: 14px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
:is([data-jp-theme-light="true"], .vscode-light, body.light) div.chainrule { color-scheme: light; }
:is([data-jp-theme-light="false"], .vscode-dark, .vscode-high-contrast, body.dark) div.chainrule { color-scheme: dark; }
div.chainrule :is(p, ul, ol) { margin: .5em 0; padding-top: 0; }
div.chainrule :is(ul, ol) { padding-left: 1.4em; }
div.chainrule figure { margin: .7em 0; }
div.chainrule figcaption { font-weight: 600; }
div.chainrule .wide { overflow-x: auto; }
div.chainrule table { border-collapse: collapse; width: auto; table-layout: auto; margin: 0; font-size: inherit; border: 0;
  overflow-wrap: normal; color: inherit; }
div.chainrule tr { background: none !important; border: 0; }
div.chainrule .wide :is(th, td) { border: 0; border-bottom: 1px solid light-dark(#d8dee4, #2a3038); font-weight: 400;
  max-width: none; padding: .15em 1.2em .15em 0; text-align: left; vertical-align: top; white-space: pre-line; }
div.chainrule :is(li, p) { white-space: pre-line; }
div.chainrule .wide .numeric { text-align: right; white-space: pre; }
div.chainrule .wide thead th { color: light-dark(#57606a, #9198a1); white-space: nowrap; }
div.chainrule :is(tbody .numeric, code, pre, .exact) { background: none; color: inherit;
  font: 13px/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-variant-numeric: tabular-nums; }
div.chainrule :is(code, .exact) { padding: 0; white-space: pre-wrap; }
div.chainrule td .exact { white-space: pre; }
div.chainrule td code.long { display: inline-block; min-width: 24ch; }
div.chainrule .quiet { color: light-dark(#57606a, #9198a1); }
div.chainrule .break { border-bottom: 2px dashed light-dark(#b35900, #ffa657); }
div.chainrule svg { display: block; max-width: 100%; height: auto; }
div.chainrule svg .more { fill: light-dark(#b35900, #ffa657); stroke: none; }
div.chainrule svg .less { fill: light-dark(#0550ae, #79c0ff); stroke: none; }
div.chainrule svg .none { fill: none; stroke: currentColor; }
@media (max-width: 480px) { div.chainrule { padding: .4em .7em; } div.chainrule .wide :is(th, td) { padding-right: .8em; } }
"""
"""Colours follow the reader's setting, or, in Jupyter, VS Code and marimo, the theme of the notebook."""


class Markup(str):
    """Text that is HTML already, and is not escaped again."""

    __slots__ = ()


class Numeric(Markup):
    """A number, which a table puts flush right."""

    __slots__ = ()


def markup(content: str) -> Markup:
    """Text made harmless: markup stays as it is, and of control characters only line breaks are left."""
    if isinstance(content, Markup):
        return content
    return Markup(escape("".join(c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs", "Cn") else "�" for c in content)))


def joined(contents: Iterable[str], between: str = "") -> Markup:
    return Markup(markup(between).join(map(markup, contents)))


def tag(name: str, *contents: str, **attributes: Any) -> Markup:
    """An element; of the attributes None is left out, and `class_` stands for class."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{markup(str(value))}"'
                      for key, value in attributes.items() if value is not None)
    return Markup(f"<{name}{written}>{joined(contents)}</{name}>")


def fragment(*blocks: str, label: str) -> str:
    """The whole of an answer; `label` is what a screen reader calls it."""
    whole = tag("div", Markup(f"<style>{STYLE}</style>"), *(block for block in blocks if block), class_="chainrule", role="group",
                aria_label=label)
    return whole.encode("ascii", "xmlcharrefreplace").decode()  # the same in whatever encoding it is saved


# ---------------------------------------------------------------------------------------- numbers
def exact(x: Any) -> str:
    """A number with all its digits, as `.json()` has it; of a large array the shape and the range."""
    array = np.asarray(x)
    if array.size > MOST_EXACT:
        return f"{plain_shape(array.shape)}, {np.min(array).item()!r} to {np.max(array).item()!r}"
    return repr(array.tolist())


def number(x: Any, shown: str | None = None) -> Markup:
    """A number in short, and in its title in full."""
    return Numeric(tag("data", plain_number(x) if shown is None else shown, value=exact(x), title=exact(x)))


def array(x: Any) -> Markup:
    """An array in short, and in its title in full; one of a single number as that number."""
    if isinstance(x, tuple):
        return joined(map(array, x), "\n")
    return number(x) if np.ndim(x) == 0 else tag("span", array_cell(x), title=exact(x), class_="exact")


# ---------------------------------------------------------------------------------------- blocks
def paragraph(*contents: str, quiet: bool = False) -> Markup:
    return tag("p", *contents, class_="quiet" if quiet else None)


def strong(content: str) -> Markup:
    return tag("strong", content)


def code(content: str, title: str | None = None) -> Markup:
    return tag("code", content, title=title, class_="long" if len(content) > LONG else None)


def source(line: str | None) -> Markup:
    """A line of the user's code in short, with the whole path in its title."""
    return code(short_line(line), line) if line else Markup("")


def listing(items: Iterable[str], *, ordered: bool = False) -> Markup:
    written = [tag("li", item) for item in items]
    return tag("ol" if ordered else "ul", *written) if written else Markup("")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", note: str = "") -> Markup:
    """A table whose first column heads its rows; nothing, if there are no rows."""
    rows = list(rows)
    body = [tag("tr", header(row[0], "row"), *(tag("td", cell, class_=numeric(cell)) for cell in row[1:])) for row in rows]
    if not body:
        return Markup("")
    classes = [next(filter(None, map(numeric, column)), None) for column in zip(*rows)]  # a head stands where its numbers stand
    heads = tag("thead", tag("tr", *(header(word, "col", c) for word, c in zip(head, classes)))) if any(head) else ""
    whole = tag("div", tag("table", heads, tag("tbody", *body), aria_label=caption or None), class_="wide")
    return tag("figure", tag("figcaption", caption) if caption else "", whole, paragraph(note, quiet=True) if note else "")


def header(content: str, scope: str, class_: str | None = None) -> Markup:
    """The head of a row or a column; an empty one is an empty cell, which heads nothing."""
    return tag("th", content, scope=scope, class_=class_ or numeric(content)) if content else tag("td")


def numeric(content: str) -> str | None:
    """The class of a cell that holds a number."""
    return "numeric" if isinstance(content, Numeric) else None
