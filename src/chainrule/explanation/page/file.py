"""The file of a page is the template with style, player and data put in: it needs no network, and no other file."""
from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from chainrule.errors import ChainruleError

from ..faces.mathml import mathml
from ..gates.gates import gates
from ..record.facts import Facts
from ..record.record import Record
from .document import page_data

SCRIPTS = (
    "numbers.js", "arrays.js", "cells.js", "dom.js", "icons.js", "graph.js", "runs.js", "scene.js", "steps.js",
    "origins.js", "lines.js", "layers.js", "places.js", "nest.js", "strokes.js", "shapes.js", "camera.js", "drawing.js",
    "levels.js", "app.js", "marks.js", "words.js", "stage.js", "now.js", "player.js", "heatmap.js", "maps.js",
    "terms.js", "branches.js", "surroundings.js", "details.js", "sheets.js", "search.js", "address.js", "keys.js",
    "lecturer.js", "main.js")
"""The player, in the order in which its parts need each other."""
MOST_GATES = 1_000  # of a loss whose scalar gates are on the page
LARGEST_PLAIN = 2_000_000  # characters of data that stand on the page as they are; more are compressed


@cache
def asset(name: str) -> str:
    return files("chainrule.explanation.page").joinpath("assets", name).read_text(encoding="utf-8")


def page(facts: Facts, record: Record, title: str | None, lesson: str | None) -> str:
    """The text of the page of an explanation, with all its levels: `facts` are those of the record with its gates closed."""
    scalars, note = None, None
    try:
        scalars = gates(record, most=MOST_GATES).facts()
    except ChainruleError as error:  # too many, or made of operations without such parts: the page says so
        note = str(error)
    return page_file(page_data(facts, record, title=title or f"How the gradients of {facts.loss} came to be", lesson=lesson,
                               gates=scalars, gates_note=note, derivation=derivation(facts)))


def derivation(facts: Facts) -> list[tuple[str, str]]:
    """The derivation, or why there is none: a line that does not hold is not shown, and does not take the page away."""
    try:
        return mathml(facts)
    except ChainruleError as error:
        return [("Derivation", f"<p>{escape(str(error))}</p>")]


def page_file(data: Mapping[str, Any]) -> str:
    """The text of the page that shows `data`, see `page_data`."""
    parts = {"<!--TITLE-->": escape(str(data["title"])), "/*STYLE*/": asset("style.css"),
             "/*SCRIPT*/": "\n".join(map(asset, SCRIPTS)), "<!--DATA-->": embedded(data)}
    text = asset("page.html")
    for place, content in parts.items():
        before, after = text.split(place)  # each place is there once, and data are not searched for places
        text = before + content + after
    return text


def embedded(data: Mapping[str, Any]) -> str:
    """The data as an element of the page: no character in them can end the element."""
    plain = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    if len(plain) <= LARGEST_PLAIN:
        return f'<script type="application/json" id="chainrule-data">{plain}</script>'
    packed = base64.b64encode(gzip.compress(plain.encode(), mtime=0)).decode()
    return f'<script type="application/gzip" id="chainrule-data">{packed}</script>'
