"""An answer is a gradient as a person gives it, by name: an array, or a formula in the names of values and of other answers."""
from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chainrule.core.reverse import Recorded
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.tensor import Tensor, tensor

from ..language.expression import TRANSPOSES, Reading, operations
from ..language.syntax import parsed
from ..record.record import Record
from ..record.values import plain, value_of

DELTA = re.compile(r"delta_?(\w*)")


class Answers:
    """What was given under which name, and the values whose gradients these are. `words` may stand in formulas too."""

    def __init__(self, record: Record, given: Mapping[str, Any], words: Mapping[str, Any]) -> None:
        self.record, self.given, self.words = record, given, words
        self.values = {record.named[id(x)]: x for x in record.values}
        self.arrays: dict[str, Any] = {}
        self.steps = {name: self.meant(name) for name in given}
        said: dict[int, str] = {}
        for name, x in self.steps.items():
            if id(x) in said:
                raise ArgumentError(f"check_derivation: {said[id(x)]} and {name} are the same gradient; give it once.")
            said[id(x)] = name

    def meant(self, name: str) -> Any:
        """The value whose gradient goes by this name: dW, dL/dW, delta2 (that of z2), or W itself."""
        x = self.resolved(name)
        if x is None:
            x = self.words.get(name.removeprefix("d"))
        if x is None:
            known = ", ".join(f"d{n}" for n, v in self.values.items() if has_gradient(self.record, v))
            raise ArgumentError(f"check_derivation: {name!r:.40} is no gradient of this loss. There are {known:.400}; delta2 is "
                                "that of a value called z2. Name values with names={'z2': z2}, or names=locals().")
        if not has_gradient(self.record, x):
            raise ArgumentError(f"check_derivation: {name}: no gradient flows there from this loss; only values on a path from a "
                                "leaf made with requires_grad=True have one.")
        return x

    def resolved(self, name: str) -> Any:
        loss = self.record.named[id(self.record.loss)]
        delta = DELTA.fullmatch(name)
        stems = [f"{z}{delta[1]}" for z in ("z", "z_", "Z", "Z_")] if delta else []
        found = [name.removeprefix(f"d{loss}/d"), name.removeprefix("dL/d"), name.removeprefix("d"), *stems, name]
        return next((self.values[n] for n in found if n in self.values), None)

    def in_order(self) -> Iterable[tuple[str, Any]]:
        """The steps in the order in which the sweep completes their gradients."""
        completed: dict[Any, int] = {}
        count = 0
        for x in reversed(self.record.order):
            completed.setdefault(x, 0)
            for a in x.sources:
                count += 1
                if a is not None:
                    completed[a] = count
        return sorted(self.steps.items(), key=lambda step: completed[step[1]])

    # ---------------------------------------------------------------- arrays
    def evaluated(self, name: str) -> Any:
        """The array given under a name; a formula is worked out, with the answers of earlier steps by their names."""
        answer = self.given[name]
        try:
            array = self.worked_out(name, answer) if isinstance(answer, str) else np.asarray(value_of(answer))
        except ValueError as error:
            raise error if isinstance(error, ChainruleError) else ArgumentError(
                f"check_derivation: {name} is not an array: {error}") from None
        if array.dtype.kind not in "fiub":
            raise ArgumentError(f"check_derivation: {name} is not made of real numbers: {answer!r:.60}. Give an array, or a "
                                "formula in quotes.")
        array = array.astype(np.float64) if array.dtype.kind != "f" else array
        self.arrays[name] = array
        return array

    def worked_out(self, name: str, formula: str) -> Any:
        said = f"check_derivation: {name} = {formula!r:.80}"
        try:
            words = dict.fromkeys(node.id for node in ast.walk(parsed(formula)) if isinstance(node, ast.Name))
            variables = {word: array for word in words if (array := self.known(name, word)) is not None}
            for word in read(parsed(formula)):
                if word not in variables and word not in operations():
                    raise ArgumentError(f"{said}: {word} has no value. It is neither a value of this loss nor an earlier step; "
                                        f"name it with names={{'{word}': {word}}}, or names=locals().")
            reading = Reading(formula, {word: tensor(array) for word, array in variables.items()})
            return np.asarray(value_of(reading.last()))
        except ArgumentError:
            raise
        except ChainruleError as error:
            raise ArgumentError(f"{said}: {error}") from None

    def known(self, step: str, word: str) -> Any:
        """The array a word in a formula stands for; None if it is no value."""
        if word in self.values:
            return value_of(self.values[word])
        if word in self.arrays:
            return self.arrays[word]
        if word in self.given:
            raise ArgumentError(f"check_derivation: {step} is computed from {word}, which the sweep reaches later, or with it. "
                                "Write it with what comes from above.")
        if isinstance(self.words.get(word), np.ndarray | np.number | Tensor | float | int):
            return np.asarray(value_of(self.words[word]))
        x = self.resolved(word) if word.startswith("d") else None
        return plain(self.record.swept[x], x) if x is not None and has_gradient(self.record, x) else None


def read(formula: ast.AST) -> list[str]:
    """The words of a formula that stand for values: not those given a value there, called, or asked for an attribute."""
    nodes = list(ast.walk(formula))
    others = [node.func for node in nodes if isinstance(node, ast.Call)]
    others += [node.value for node in nodes if isinstance(node, ast.Attribute) and node.attr not in TRANSPOSES]
    names = [node for node in nodes if isinstance(node, ast.Name) and node not in others]
    made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return [node.id for node in names if node.id not in made]


def has_gradient(record: Record, x: Any) -> bool:
    return isinstance(x, Recorded) and x in record.swept and not isinstance(x.value, tuple)
