"""A symbol is what a derivation calls a value, or a gradient: a letter, which of several it is, and the step of a loop."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chainrule.core.type import Shape

from ...formulas.formula import Name
from ...formulas.writing import GREEK, escaped

Spelled = tuple[str, str]  # as text, and in LaTeX


@dataclass(frozen=True, eq=False)
class Symbol(Name):
    """A letter with its label ("1", or the name of a layer) and its step ("3", "t-1"); with `of`, the gradient of the loss in a
    value."""

    head: Spelled = ("", "")
    label: Spelled = ("", "")
    step: str = ""
    of: Symbol | None = None
    loss: Spelled = ("", "")

    def at(self, step: str) -> Symbol:
        """The same letter in another step."""
        if self.of is not None:
            return gradient_in(self.of.at(step), self.loss)
        return self if not self.step else symbol(self.shape, self.head, self.label, step)

    @property
    def moves(self) -> str:
        """The step it belongs to; nothing where it is the same in all steps."""
        return self.of.moves if self.of is not None else self.step

    def entry(self, indices: Sequence[Spelled]) -> Spelled:
        """One element: W1[i,j], which in LaTeX has the label above and the indices below."""
        if self.of is not None:
            text, tex = self.of.entry(indices)
            return f"d{self.loss[0]}/d{text}", rf"\frac{{\partial {self.loss[1]}}}{{\partial {tex}}}"
        if not indices:
            return self.name, self.bar or ""
        above = ",".join(filter(None, (self.label[1], self.step)))
        below = ("" if all(re.fullmatch(r"[a-z]'*", i[1]) for i in indices) else ",").join(i[1] for i in indices)
        return (f"{self.name}[{','.join(i[0] for i in indices)}]",
                f"{self.head[1]}{f'^{{({above})}}' if above else ''}_{{{below}}}")


def symbol(shape: Shape, head: Spelled, label: Spelled = ("", ""), step: str = "") -> Symbol:
    text = head[0] + (label[0] if label[0].isdigit() and not head[0][-1:].isdigit() else label[0] and f"_{label[0]}")
    below = ",".join(filter(None, (label[1], step)))
    return Symbol(shape, text + (f"[{step}]" if step else ""), f"{head[1]}_{{{below}}}" if below else head[1], head, label, step)


def gradient_in(x: Symbol, loss: Spelled) -> Symbol:
    """What dL/dx is called where it has no letter of its own."""
    return Symbol(x.shape, f"d{loss[0]}/d{x.name}", rf"\frac{{\partial {loss[1]}}}{{\partial {x.bar}}}", of=x, loss=loss)


def spelled(word: str) -> Spelled:
    """A word as a letter: Greek ones by their name, others upright."""
    if word in GREEK:
        return word, f"\\{word}"
    return word, word if len(word) == 1 and word.isascii() and word.isalpha() else rf"\mathrm{{{escaped(word)}}}"


def labelled(word: str) -> Spelled:
    return word, word if word.isdigit() or not word else rf"\mathrm{{{escaped(word)}}}"


def named(name: str, shape: Shape) -> Symbol:
    """The symbol of a value people named: W1 has the label 1, fc1.weight is W with the label fc1."""
    *path, last = name.split(".")
    if path:
        head = SCALE if last == "weight" and len(shape) == 1 else PARAMETERS.get(last, spelled(last))
        return symbol(shape, head, labelled(".".join(path)))
    head, _, label = name.partition("_")
    if head in PARAMETERS and (label or head == "bias"):
        return symbol(shape, PARAMETERS[head], labelled(label))
    stem, digits = re.fullmatch(r"(.*?)_?(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    return replace(symbol(shape, spelled(stem), labelled(digits)), name=name) if stem else symbol(shape, spelled(name))


PARAMETERS: dict[str, Spelled] = {"weight": ("W", "W"), "bias": ("b", "b")}
"""What parameters of modules are called, and the letter a lecturer gives them."""
SCALE: Spelled = ("gamma", r"\gamma")  # a weight for each feature
