"""A binding says how tightly the outermost sign of a written formula holds: what binds less than is needed gets parentheses."""
from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from string import Formatter

SUM, BIG, PRODUCT, SIGN, POWER, ATOM = 1, 2, 3, 4, 5, 6  # BIG: a sum over an index, which takes in a product, but no sum
BINDS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "@": PRODUCT, "**": POWER}  # all others bind weaker
Written = tuple[str, int]  # the text, and how tightly its outermost operation binds


# ---------------------------------------------------------------------------------------- templates
def holds(template: str) -> int:
    """How tightly the outermost sign of a template binds: a relation, a sum, a product, a power, or closed by brackets."""
    outside = outermost(template)
    if re.search(RELATIONS, outside):
        return 0
    if re.search(r"^[-+]| [+-] |\\bmod", outside):
        return SUM
    if r"\sum" in outside:
        return BIG
    if len(outside.replace(r"\,", " ").split()) > 1:
        return PRODUCT
    return POWER if re.search(r"\^|^\\frac", outside) else ATOM


RELATIONS = r" [=<>] |\\(le|ge|ne|approx|wedge|vee|oplus|neg|sim)\b"


@lru_cache(maxsize=1024)
def outermost(template: str) -> str:
    """A template without what is between braces, brackets or bars; @ stands for an argument."""
    text = Formatter().vformat(template.replace(r"\left", "").replace(r"\right", ""), ("@",) * 9, defaultdict(lambda: "@"))
    while text != (shorter := re.sub(ENCLOSED, "", text)):
        text = shorter
    return text


ENCLOSED = r"\{[^{}]*\}|\([^()]*\)|\[[^][]*\]|\|[^|]*\||\\l(?:floor|ceil|Vert) [^\\]*\\r\w+"


def needed(template: str, i: int, own: int) -> int:
    """How tightly argument `i` must bind to stand in a template without parentheses."""
    slot = "{" + str(i) + "}"
    if any(raised in template for raised in (slot + "^", slot + "}}^", slot + "_", slot + "[")):
        return ATOM
    between = re.search(r"([(,\[])\s*" + re.escape(slot) + r"\s*[),\]]", template)  # brackets or commas hold it together
    if template.startswith(r"\frac") and "{{" + slot + "}}" in template:
        return SUM
    if between or "{{" + slot + "}}" in template or template == slot:
        return 0
    if own <= SUM:
        return BIG if i or template.startswith("-") else own
    return POWER


def scripted(body: str, template: str, i: int) -> str:
    """An argument made ready for an index or exponent: LaTeX takes no second one on the same symbol."""
    slot = "{" + str(i) + "}"
    if slot + "_" in template:
        return f"{{{body}}}"
    if slot + "^" in template and re.search(r"\^(\{[^{}]*\}|\w)$", body):
        return rf"\left( {body} \right)"
    return body
