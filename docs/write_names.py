"""Writes docs/names.md: the public names, in the order of `chainrule/__init__.py`, each with the sentence that defines it.

    python docs/write_names.py

A test fails when the page and the package part.
"""
from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import chainrule

PAGE = Path(__file__).parent / "names.md"


def sections() -> list[tuple[str, list[str]]]:
    """The modules the package imports from, in order, with the names it takes from each; the namespaces, those that are loaded
    later too, come last."""
    tree = ast.parse(Path(chainrule.__file__).read_text())
    found = [(node.module or "", [alias.asname or alias.name for alias in node.names])
             for node in tree.body if isinstance(node, ast.ImportFrom) and node.level]
    *others, (module, namespaces) = found
    return [*others, (module, sorted([*namespaces, *chainrule.LATER]))]


def sentence(thing: object) -> str:
    """The first paragraph of a docstring, on one line."""
    doc = "" if not (callable(thing) or inspect.ismodule(thing)) else inspect.getdoc(thing) or ""
    return " ".join(doc.split("\n\n")[0].split()).replace("|", r"\|")


def page() -> str:
    """The whole page."""
    lines = ["# Public names", "", "Everything is at top level (`import chainrule as cr`, then `cr.sin`), and in the namespaces "
             "at the end. Written by `python docs/write_names.py`."]
    for module, names in sections():
        where = importlib.import_module(f"chainrule.{module}" if module else "chainrule")
        lines += ["", f"## {sentence(where).rstrip('.:')}", "", "| name | |", "|---|---|"]
        lines += [f"| `{name}` | {sentence(getattr(chainrule, name))} |" for name in names]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
