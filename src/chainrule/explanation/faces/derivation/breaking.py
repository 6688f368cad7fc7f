"""Breaking splits a formula in LaTeX that is wider than the page where it binds least; how wide it is, is estimated."""
from __future__ import annotations

import re
from collections.abc import Iterator

TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|.", re.DOTALL)
WORDS = {"mathrm", "operatorname", "text", "texttt"}
NARROW = {",": 2.0, ";": 3.0, "cdot": 8.0, "quad": 10.0, "qquad": 20.0, "left": 0.0, "right": 0.0, "big": 0.0, "partial": 6.0}
WIDE = {"odot": 12.0, "star": 10.0, "ast": 10.0, "sum": 15.0, "prod": 14.0, "le": 13.0, "ne": 13.0, "log": 16.0, "max": 22.0,
        "min": 20.0, "tanh": 24.0, "bmod": 30.0, "underbrace": 0.0, "frac": 0.0, "sqrt": 9.0, "times": 12.0}
SIGNS = {"+": 12.0, "-": 12.0, "=": 13.0, ">": 13.0, "<": 13.0, " ": 0.0, "(": 4.0, ")": 4.0, "[": 3.0, "]": 3.0, ".": 3.0,
         "&": 0.0}
BREAKS = (" + ", " - ", r" \odot ", r" \cdot ", r" \, ", r" \star ")  # those that bind least come first


class Reader:
    """A formula, read token by token."""

    def __init__(self, tex: str) -> None:
        self.tokens, self.at = TOKEN.findall(tex), 0

    def group(self) -> str:
        """What is between the next braces, or the next token."""
        while self.tokens[self.at:self.at + 1] == [" "]:
            self.at += 1
        if self.tokens[self.at:self.at + 1] != ["{"]:
            self.at += 1
            return "".join(self.tokens[self.at - 1:self.at])
        depth, start = 0, self.at
        while self.at < len(self.tokens):
            depth += {"{": 1, "}": -1}.get(self.tokens[self.at], 0)
            self.at += 1
            if not depth:
                break
        return "".join(self.tokens[start + 1:self.at - 1])

    def until(self, end: str) -> str:
        start = self.at
        depth = 1
        while self.at < len(self.tokens) and depth:
            if self.tokens[self.at] in (r"\begin", r"\end"):
                depth += 1 if self.tokens[self.at] == r"\begin" else -1
            self.at += 1
        body = "".join(self.tokens[start:self.at - 1])
        self.group()
        return body


def width(tex: str) -> float:
    """About how wide a formula is, in points at a size of 10 points."""
    reader, total = Reader(tex), 0.0
    while reader.at < len(reader.tokens):
        token = reader.tokens[reader.at]
        name = token[1:] if token.startswith("\\") else ""
        reader.at += 1
        if token in "_^":
            total += 0.7 * width(reader.group())
        elif token == "{":
            reader.at -= 1
            total += width(reader.group())
        elif name == "frac":
            total += 2.0 + max(width(reader.group()), width(reader.group()))
        elif name in WORDS:
            total += 5.2 * len(reader.group())
        elif name == "begin":
            total += table_width(reader.until(reader.group()))
        else:
            total += WIDE.get(name, NARROW.get(name, 7.0)) if name else SIGNS.get(token, 7.0 if token.isupper() else 5.2)
    return total


def table_width(body: str) -> float:
    rows = [[width(cell) for cell in row.split("&")] for row in body.split(r"\\")]
    columns = max(map(len, rows))
    return 14.0 + sum(10.0 + max(row[k] for row in rows if k < len(row)) for k in range(columns))


def broken(tex: str, room: float) -> list[str]:
    """The formula in pieces of at most `room` points where it can be split; each piece but the first begins with its sign."""
    if width(tex) <= room:
        return [tex]
    for sign in BREAKS:
        pieces = list(split(tex, sign))
        if len(pieces) > 1:
            return list(packed(pieces, sign.strip(), room))
    return [tex]


def packed(pieces: list[str], sign: str, room: float) -> Iterator[str]:
    """As many pieces on a line as fit; what is wider than a line is split further."""
    line = ""
    for k, piece in enumerate(pieces):
        signed = piece if k == 0 else f"{sign} {piece}"
        if line and width(line) + width(signed) > room:
            yield from broken(line, room)
            line = signed
        else:
            line = f"{line} {signed}".strip()
    yield from broken(line, room) if width(line) > room and line not in pieces[:1] else [line]


def split(tex: str, sign: str) -> Iterator[str]:
    r"""The parts of a formula between signs that are in no braces, and between no \left and \right."""
    depth = start = at = 0
    while at < len(tex):
        if not depth and at and tex.startswith(sign, at):
            yield tex[start:at]
            start = at = at + len(sign)
            continue
        opens = tex[at] == "{" or (tex.startswith((r"\left", r"\begin"), at) and not tex.startswith(r"\leftarrow", at))
        closes = tex[at] == "}" or tex.startswith((r"\right", r"\end"), at)
        escaped = at and tex[at - 1] == "\\" and tex[at] in "{}"
        depth += 0 if escaped else opens - closes
        at += 1
    yield tex[start:]
