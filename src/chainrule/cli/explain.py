"""`chainrule explain` shows how every number in the gradients of a formula came to be."""
from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import InputError
from chainrule.explanation.element.element import Element
from chainrule.explanation.language.examples import EXAMPLES
from chainrule.explanation.language.explain_formula import explain_formula
from chainrule.explanation.language.expression import operations
from chainrule.explanation.language.given import read
from chainrule.explanation.story import Explanation

FORMATS: dict[str, Callable[[Explanation], str]] = {
    "text": Explanation.text,
    "json": lambda e: e.json() + "\n",
    "latex": lambda e: e.latex(document=True),
    "svg": Explanation.svg,
}
ELEMENT_FORMATS: dict[str, Callable[[Element], str]] = {"text": Element.text, "json": lambda x: x.json() + "\n"}
WHOLE = r"\s*[-+]?\d{1,18}\s*"
ELEMENT = re.compile(rf"\s*([^\[\]\s]+)\s*(?:\[({WHOLE}(?:,{WHOLE})*),?\s*\]\s*)?")  # W[2,3], or a name alone
EPILOG = """examples:
  chainrule explain "(relu(w*x + b) - y)**2" x=2 w=3 b=1 y=5
  chainrule explain "z = W @ x + b; a = sigmoid(z); sum((a - y)**2) / 2" \\
      W="[[2,-3]]" x="[-1,-2]" b="[-3]" y="[1]" --wrt W,b --open
  chainrule explain "sum(tanh(W @ x))" W="[[2,-3],[1,4]]" x="[-1,-2]" --of W[0,1]
  chainrule explain --example softmax
  chainrule explain "cross_entropy(z, labels)" z="[[1,2,3]]" labels:int="[2]" --format json
  chainrule explain --example merge --format svg > merge.svg

Values are numbers, vectors [1,2] and matrices [[1,2],[3,4]], computed in float64. Name parts of the formula with
`u = x*y; v = u + y; v**2`. Bad input: one line on stderr, and exit code 2."""
PLAIN = str.maketrans({"←": "<-", "×": "*", "…": "...", "─": "-", "⊂": "in", "═": "=", "→": "->", "—": "-", "°": " deg"})


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Show how every number in the gradients of a formula came to be."
    parser.epilog = EPILOG
    parser.add_argument("formula", nargs="?", help="the formula of the loss, in quotes")
    parser.add_argument("values", nargs="*", metavar="name=value", help="the value of each variable; name:int=value for indices")
    parser.add_argument("--wrt", metavar="w,b", help="the variables whose gradients to explain (default: all)")
    parser.add_argument("--of", metavar="W[2,3]", help="show one number of a gradient as the sum of what flows into it")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument("--open", action="store_true", help="open gates such as sigmoid or softmax into their parts")
    parser.add_argument("--what-if", action="append", metavar="w=3.5",
                        help="what moves if a value were another; may be repeated; one element: W[0,1]=2")
    parser.add_argument("--paths", metavar="W", help="the paths from the loss to a value that carry most of its gradient")
    parser.add_argument("--example", metavar="NAME", help="explain a worked example")
    parser.add_argument("--examples", action="store_true", help="list the worked examples")
    parser.add_argument("--operations", action="store_true", help="list the operations a formula may use")


def run(options: argparse.Namespace) -> None:
    if options.examples:
        show("".join(f"{e.name:<16}{e.title}\n" for e in EXAMPLES.values()))
    elif options.operations:
        show(textwrap.fill(", ".join(sorted(operations())), 80) + "\n")
    elif options.example is not None:
        show_example(options)
    elif options.formula is None:
        raise InputError('give a formula, as in: chainrule explain "w*x + b" x=2 w=3 b=1, or --example neuron.')
    else:
        show(drawn(explain_formula(options.formula, options.values, wrt=names(options.wrt), open=options.open), options))


def show_example(options: argparse.Namespace) -> None:
    if options.formula is not None:
        raise InputError("give either a formula or --example, not both.")
    example = EXAMPLES.get(options.example)
    if example is None:
        raise InputError(f"no example is called {options.example!r:.40}; there are {', '.join(EXAMPLES)}.")
    explanation = example.explain(wrt=names(options.wrt), open=options.open)
    show(example.page(explanation) if options.format == "text" and not (options.of or options.what_if or options.paths)
         else drawn(explanation, options))


def drawn(explanation: Explanation, options: argparse.Namespace) -> str:
    """The explanation, or what is asked of it, in the format asked for."""
    asked = [flag for flag, given in (("--of", options.of), ("--what-if", options.what_if), ("--paths", options.paths)) if given]
    if len(asked) > 1:
        raise InputError(f"give either {' or '.join(asked)}, not both.")
    if options.what_if:
        return what_if(explanation, options)
    if options.paths:
        return paths(explanation, options)
    if options.of is None:
        return FORMATS[options.format](explanation)
    if options.format not in ELEMENT_FORMATS:
        raise InputError(f"--of: one number is shown as {' or '.join(ELEMENT_FORMATS)}, not as {options.format}.")
    return ELEMENT_FORMATS[options.format](element(explanation, options.of))


def element(explanation: Explanation, of: str) -> Element:
    """The element that `W[2,3]` stands for."""
    match = ELEMENT.fullmatch(of)
    if match is None:
        raise InputError(f"--of: {of!r:.40} is not an element; write a name and an index, as in W[2,3].")
    name, index = match.groups()
    return explanation.element(name, [int(i) for i in index.split(",")] if index else None)


CHANGE = re.compile(r"\s*(\w+)\s*(?:\[([\d\s,-]*)\])?\s*=(.*)", re.ASCII | re.DOTALL)


def what_if(explanation: Explanation, options: argparse.Namespace) -> str:
    """The page of what moves when the values typed after --what-if are set."""
    if options.format != "text":
        raise InputError(f"--what-if is written as text only; leave out --format {options.format}.")
    changes: dict[Any, Any] = {}
    for typed in options.what_if:
        match = CHANGE.fullmatch(typed)
        if not match or not match[3].strip():
            raise InputError(f"--what-if: {typed!r:.40} is no change; write w=3.5, or W[0,1]=2 for one element.")
        name, index, value = match.groups()
        place = None if index is None else tuple(int(i) for i in index.split(",") if i.strip())
        changes[name if place is None else (name, place)] = np.asarray(read(value.strip()))
    return explanation.what_if(changes).text()


def paths(explanation: Explanation, options: argparse.Namespace) -> str:
    """The strongest paths to a value: through elements, and through operations."""
    if options.format not in ELEMENT_FORMATS:
        raise InputError(f"--paths: paths are shown as {' or '.join(ELEMENT_FORMATS)}, not as {options.format}.")
    through_elements = explanation.paths(options.paths)
    if options.format == "json":
        return through_elements.json() + "\n"
    return f"{through_elements.text()}\n{explanation.paths(options.paths, by='operation').text()}"


def names(listed: str | None) -> list[str] | None:
    return None if listed is None else [name.strip() for name in listed.split(",")]


def show(page: str) -> None:
    """Write a page, in plain signs where the terminal has no others."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        page.encode(encoding)
    except UnicodeEncodeError:
        page = page.translate(PLAIN).encode(encoding, "replace").decode(encoding)
    sys.stdout.write(page)
