"""`chainrule explain` shows how every number in the gradients of a formula came to be."""
from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import InputError
from chainrule.explanation.comparing.what_if import WhatIf
from chainrule.explanation.element.element import Element
from chainrule.explanation.faces.answer import Answer
from chainrule.explanation.language.examples import EXAMPLES
from chainrule.explanation.language.explain_formula import explain_formula
from chainrule.explanation.language.expression import operations
from chainrule.explanation.language.given import read
from chainrule.explanation.story import Explanation
from chainrule.train.reopening import reopened

FORMATS: dict[str, Callable[[Explanation, argparse.Namespace], str]] = {
    "text": lambda e, options: e.text(),
    "steps": lambda e, options: "".join(f"{step.line}\n" for step in e.steps),
    "diagram": lambda e, options: e.diagram(ascii=not can_write("╭▲")),
    "derivation": lambda e, options: e.derivation(level=options.level, numbers=options.numbers),
    "json": lambda e, options: e.json() + "\n",
    "latex": lambda e, options: e.latex(level=options.level, numbers=options.numbers, document=True),
    "svg": lambda e, options: e.svg(),
    "html": lambda e, options: e.html(title=options.title, lesson=options.lesson),
}
ANSWER_FORMATS: dict[str, Callable[[Answer], str]] = {
    "text": lambda answer: answer.text(), "json": lambda answer: answer.json() + "\n",
    "html": lambda answer: answer.html() + "\n"}
SUFFIXES = {".txt": "text", ".json": "json", ".tex": "latex", ".svg": "svg", ".html": "html"}
PIXELS: dict[str, Callable[[Explanation, Path], object]] = {
    ".png": Explanation.png, ".gif": Explanation.animation, ".webp": Explanation.animation, ".mp4": Explanation.animation}
WHOLE = r"\s*[-+]?\d{1,18}\s*"
ELEMENT = re.compile(rf"\s*([^\[\]\s]+)\s*(?:\[({WHOLE}(?:,{WHOLE})*),?\s*\]\s*)?")  # W[2,3], or a name alone
EPILOG = """examples:
  chainrule explain "(relu(w*x + b) - y)**2" x=2 w=3 b=1 y=5
  chainrule explain "z = W @ x + b; a = sigmoid(z); sum((a - y)**2) / 2" \\
      W="[[2,-3]]" x="[-1,-2]" b="[-3]" y="[1]" --wrt W,b --open
  chainrule explain "sum(tanh(W @ x))" W="[[2,-3],[1,4]]" x="[-1,-2]" --of W[0,1]
  chainrule explain --example softmax
  chainrule explain "cross_entropy(z, labels)" z="[[1,2,3]]" labels:int="[2]" --format json
  chainrule explain --example merge --format diagram
  chainrule explain --example merge --out merge.html               (a page to play in a browser; also .svg .png .gif .tex)
  chainrule explain runs/digits --of fc1.weight[2,3] --rows 0,1,2     (what chainrule train left there)

Values are numbers, vectors [1,2] and matrices [[1,2],[3,4]], computed in float64. Name parts of the formula with
`u = x*y; v = u + y; v**2`. Bad input: one line on stderr, and exit code 2."""
PLAIN = str.maketrans({"←": "<-", "×": "*", "…": "...", "─": "-", "⊂": "in", "═": "=", "→": "->", "—": "-", "°": " deg"})


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Show how every number in the gradients of a formula came to be."
    parser.epilog = EPILOG
    parser.add_argument("formula", nargs="?", help="the formula of the loss, in quotes; or the folder of a training")
    parser.add_argument("values", nargs="*", metavar="name=value", help="the value of each variable; name:int=value for indices")
    parser.add_argument("--wrt", metavar="w,b", help="the variables whose gradients to explain (default: all)")
    parser.add_argument("--of", metavar="W[2,3]", help="show one number of a gradient as the sum of what flows into it")
    parser.add_argument("--format", choices=FORMATS, help="default: text")
    parser.add_argument("--out", metavar="FILE", help=f"write a file instead: {' '.join((*SUFFIXES, *PIXELS))}")
    parser.add_argument("--level", choices=("matrix", "index"), default="matrix", help="of a derivation")
    parser.add_argument("--numbers", action=argparse.BooleanOptionalAction, help="of a derivation: put in or not")
    parser.add_argument("--gates", action="store_true", help="as add, multiply, max and copy gates on single numbers")
    parser.add_argument("--open", action="store_true", help="open gates such as sigmoid or softmax into their parts")
    parser.add_argument("--what-if", action="append", metavar="w=3.5",
                        help="what moves if a value were another; may be repeated; one element: W[0,1]=2")
    parser.add_argument("--paths", metavar="W", help="the paths from the loss to a value that carry most of its gradient")
    parser.add_argument("--rows", metavar="0,1,2", help="of a training, the rows that make the loss (default: its first batch)")
    parser.add_argument("--held-out", action="store_true", help="of a training, take the rows from the part held out")
    parser.add_argument("--example", metavar="NAME", help="explain a worked example")
    parser.add_argument("--examples", action="store_true", help="list the worked examples")
    parser.add_argument("--operations", action="store_true", help="list the operations a formula may use")


def run(options: argparse.Namespace) -> None:
    if options.examples:
        show("".join(f"{e.name:<16}{e.title}\n" for e in EXAMPLES.values()))
    elif options.operations:
        show(textwrap.fill(", ".join(sorted(operations())), 80) + "\n")
    else:
        options.title = options.lesson = None
        e = asked_for(options)
        write(e.gates() if options.gates else e, options)


def asked_for(options: argparse.Namespace) -> Explanation:
    """The explanation of the example, the training or the formula that was asked for."""
    if options.example is not None:
        return of_example(options)
    if options.formula is None:
        raise InputError('give a formula, as in: chainrule explain "w*x + b" x=2 w=3 b=1, or --example neuron.')
    if os.path.isdir(options.formula) and not options.values:
        return of_training(options)
    if options.rows is not None or options.held_out:
        raise InputError(f"{options.formula!r:.60} is not a folder, and --rows and --held-out choose rows of a training.")
    options.title = options.formula
    return explain_formula(options.formula, options.values, wrt=names(options.wrt), open=options.open)


def of_training(options: argparse.Namespace) -> Explanation:
    """The explanation of the network that `chainrule train` left in a folder, on some rows of its data."""
    rows = None
    if options.rows is not None:
        if not re.fullmatch(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*", options.rows, re.ASCII):
            raise InputError(f"--rows: {options.rows!r:.40} is no list of row numbers; write them as in 0,1,2.")
        rows = [int(row) for row in options.rows.split(",")]
    return reopened(options.formula).explain(rows, held_out=options.held_out, wrt=names(options.wrt), open=options.open)


def of_example(options: argparse.Namespace) -> Explanation:
    if options.formula is not None:
        raise InputError("give either a formula or --example, not both.")
    example = EXAMPLES.get(options.example)
    if example is None:
        raise InputError(f"no example is called {options.example!r:.40}; there are {', '.join(EXAMPLES)}.")
    options.title, options.lesson = example.title, example.lesson
    return example.explain(wrt=names(options.wrt), open=options.open)


def write(e: Explanation, options: argparse.Namespace) -> None:
    """Print the explanation, or what is asked of it; or put it into a file, by the ending of its name."""
    if options.out is None:
        show(drawn(e, options))
        return
    path = Path(options.out)
    suffix = path.suffix.lower()
    if options.format is None and suffix in PIXELS and not questions(options):
        PIXELS[suffix](e, path)
    elif options.format or suffix in SUFFIXES:
        options.format = options.format or SUFFIXES[suffix]
        path.write_text(drawn(e, options), encoding="utf-8")
    else:
        raise InputError(f"--out: {options.out!r:.60} ends in none of {' '.join((*SUFFIXES, *PIXELS))}; or give --format, too.")
    show(f"wrote {path}\n")


def questions(options: argparse.Namespace) -> list[str]:
    return [flag for flag, given in (("--of", options.of), ("--what-if", options.what_if), ("--paths", options.paths)) if given]


def drawn(e: Explanation, options: argparse.Namespace) -> str:
    """The explanation, or what is asked of it, in the format asked for."""
    asked, wanted = questions(options), options.format or "text"
    if len(asked) > 1:
        raise InputError(f"give either {' or '.join(asked)}, not both.")
    if not asked:
        page = EXAMPLES[options.example].page(e) if options.example and wanted == "text" and not options.gates else None
        return page or FORMATS[wanted](e, options)
    if wanted not in ANSWER_FORMATS:
        raise InputError(f"{asked[0]}: the answer is shown as {', '.join(ANSWER_FORMATS)}, not as {wanted}.")
    if options.paths:
        return paths(e, options.paths, wanted)
    return ANSWER_FORMATS[wanted](what_if(e, options.what_if) if options.what_if else element(e, options.of))


def element(explanation: Explanation, of: str) -> Element:
    """The element that `W[2,3]` stands for."""
    match = ELEMENT.fullmatch(of)
    if match is None:
        raise InputError(f"--of: {of!r:.40} is not an element; write a name and an index, as in W[2,3].")
    name, index = match.groups()
    return explanation.element(name, [int(i) for i in index.split(",")] if index else None)


CHANGE = re.compile(rf"\s*([\w.]+)\s*(?:\[({WHOLE}(?:,{WHOLE})*),?\s*\])?\s*=(.*)", re.ASCII | re.DOTALL)


def what_if(e: Explanation, typed: Sequence[str]) -> WhatIf:
    """What moves when the values typed after --what-if are set."""
    changes: dict[Any, Any] = {}
    for change in typed:
        match = CHANGE.fullmatch(change)
        if not match or not match[3].strip():
            raise InputError(f"--what-if: {change!r:.40} is no change; write w=3.5, or W[0,1]=2 for one element.")
        name, index, value = match.groups()
        place = None if index is None else tuple(map(int, index.split(",")))
        changes[name if place is None else (name, place)] = np.asarray(read(value.strip()))
    return e.what_if(changes)


def paths(e: Explanation, name: str, wanted: str) -> str:
    """The strongest paths to a value: through elements, and on a page of text through operations, too."""
    through_elements = ANSWER_FORMATS[wanted](e.paths(name))
    return through_elements if wanted != "text" else f"{through_elements}\n{e.paths(name, by='operation').text()}"


def names(listed: str | None) -> list[str] | None:
    return None if listed is None else [name.strip() for name in listed.split(",")]


def can_write(signs: str) -> bool:
    """Whether the terminal has these signs."""
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def show(page: str) -> None:
    """Write a page, in plain signs where the terminal has no others."""
    if not can_write(page):
        encoding = sys.stdout.encoding or "ascii"
        page = page.translate(PLAIN).encode(encoding, "replace").decode(encoding)
    sys.stdout.write(page)
