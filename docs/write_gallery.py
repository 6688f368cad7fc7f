"""Writes docs/gallery: each worked example as a page, a picture, LaTeX and text, and four networks as pages.

    python docs/write_gallery.py [FOLDER]

The pages are not kept in the repository, since each carries the player; the other files are, and a test fails when they and the
package part.
"""
from __future__ import annotations

import sys
from pathlib import Path

from chainrule.explanation import explain
from chainrule.explanation.language.examples import EXAMPLES, Example

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "examples"))
import networks  # noqa: E402  from examples/

FOLDER = Path(__file__).parent / "gallery"


def files(example: Example) -> dict[str, str]:
    """The text of each file of an example that is kept, by its name."""
    e = example.explain()
    return {f"{example.name}.txt": example.page(e), f"{example.name}.svg": e.svg(), f"{example.name}.tex": e.latex(document=True)}


def pages() -> dict[str, str]:
    """The text of each page, by its name."""
    made = {f"{x.name}.html": x.explain().html(title=x.title, lesson=x.lesson) for x in EXAMPLES.values()}
    return made | {f"{name}.html": explain(make()).html(title=make.__doc__) for name, make in networks.NETWORKS.items()}


def index() -> str:
    """The page that lists the others."""
    lines = ["# Gallery", "", "Written by `make gallery`, which makes the pages (`.html`) too: open one in a browser and play it.", ""]
    for x in EXAMPLES.values():
        links = ", ".join(f"[{kind}]({x.name}.{suffix})" for kind, suffix in (
            ("page", "html"), ("picture", "svg"), ("LaTeX", "tex"), ("text", "txt")))
        lines += [f"## {x.title}", "", x.lesson, "", f"`{x.formula}` at `{x.values}`: {links}", "", f"![{x.title}]({x.name}.svg)", ""]
    lines += ["## Networks", "", *(f"- [{make.__doc__}]({name}.html)" for name, make in networks.NETWORKS.items()), ""]
    return "\n".join(lines)


def kept() -> dict[str, str]:
    """All files that are kept in the repository."""
    return {"README.md": index()} | {name: text for x in EXAMPLES.values() for name, text in files(x).items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (kept() | pages()).items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"wrote {folder}: {len(EXAMPLES)} examples, {len(networks.NETWORKS)} networks")
