"""A quiz is a sheet of exercises in backpropagation, made from a seed: graphs with friendly numbers, and blanks to fill in."""
from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.core.type import Shape
from chainrule.errors import InputError
from chainrule.tensor import Tensor

from ..formulas.formula import Number
from ..formulas.writing import plain_array
from ..language.explain_formula import explain_formula
from ..language.expression import Reading
from ..language.given import given
from ..record.facts import Edge
from ..story import Explanation
from .quiz_templates import GATES, ROUNDED, SIGNS, TEMPLATES, Template

MOST_EXERCISES = 50
MOST_TRIES = 2000
LARGEST = 200  # of any number to compute
LARGEST_BEFORE = {"sigmoid(": 2, "tanh(": 2, "softmax_cross_entropy(": 4}  # beyond, they are flat, and four digits hide the slope
SMALLEST_ROUNDED = 0.01  # below, four decimals have too few digits to check
SMALLEST_PART = 0.25  # numbers that are not rounded are whole, halves or quarters
FORWARD, LOCAL, CONTRIBUTION, GRADIENT = "forward value", "local derivative", "contribution", "gradient"


@dataclass(frozen=True)
class Blank:
    """One thing to compute. `key` is what an answer calls it, `of` the names of the values it speaks of.

    Keys: `p` a forward value, `dp/dw` a local derivative, `dL/dx:p` what reaches x through p, `dL/dw` a gradient.
    """

    key: str
    kind: str
    of: tuple[str, ...]
    answer: Any

    @property
    def shape(self) -> Shape:
        return tuple(np.shape(self.answer))


def blank(key: str, kind: str, of: tuple[str, ...], answer: Any) -> Blank:
    """A blank whose answer has no minus sign before a zero."""
    return Blank(key, kind, of, np.asarray(answer) + 0.0)


@dataclass(frozen=True)
class Exercise:
    """A formula with values, and what to compute about it."""

    number: int
    formula: str
    values: dict[str, Any]
    wrt: tuple[str, ...]

    @property
    def assignments(self) -> list[str]:
        return [f"{name}={np.asarray(value).tolist()}" for name, value in self.values.items()]

    @cached_property
    def explanation(self) -> Explanation:
        return explain_formula(self.formula, self.assignments, wrt=self.wrt)

    def loss(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The recorded loss, and the values of the exercise by name."""
        loss, named = Reading(self.formula, given(self.assignments)).run()
        return loss, dict(named)

    @cached_property
    def blanks(self) -> tuple[Blank, ...]:
        """What to compute, in the order in which a person gets to it."""
        e = self.explanation
        forward = [blank(n.name, FORWARD, (n.name,), n.value) for n in e.nodes if n.kind == "operation"]
        kinds = [(LOCAL, edge) for edge in e.edges if asks_slope(e, edge)]
        merging = {id for merge in e.merges for id in merge.edges}
        kinds += [(CONTRIBUTION, edge) for edge in e.edges if edge.id in merging]
        along = [self.along(kind, edge) for kind, edge in kinds]
        gradients = [blank(f"d{e.loss}/d{n.name}", GRADIENT, (n.name,), n.gradient)
                     for n in reversed(e.nodes) if n.gradient is not None and n.name != e.loss]
        return (*forward, *along, *gradients)

    def along(self, kind: str, edge: Edge) -> Blank:
        """The blank about one edge."""
        e = self.explanation
        result, argument = e[edge.result].name, e[edge.argument].name
        if kind == LOCAL and edge.local is not None:
            return blank(f"d{result}/d{argument}", LOCAL, (result, argument), edge.local.value)
        return blank(f"d{e.loss}/d{argument}:{result}", CONTRIBUTION, (result, argument), edge.contribution)


def asks_slope(e: Explanation, edge: Edge) -> bool:
    """Whether a local derivative is worth asking for: not that of a sum, which is 1 or -1, nor of the loss, asked for anyway."""
    return edge.local is not None and not isinstance(edge.local.formula, Number) and e[edge.result].name != e.loss


@dataclass(frozen=True)
class Sheet:
    """The exercises of one seed."""

    seed: int
    level: int
    exercises: tuple[Exercise, ...]


def quiz(seed: int, level: int = 1, count: int = 5) -> Sheet:
    """Exercises made from a seed: the same on every machine, and for a larger `count` the same ones first.

    Levels: 1 scalar formulas, 2 a gate such as tanh or a value used twice, 3 one layer with matrices, 4 two layers, or softmax
    and cross-entropy. Given numbers are whole or halves; no value lies on a kink. Raises InputError.

    >>> from chainrule.explanation.practice.quiz import quiz
    >>> [blank.key for blank in quiz(7).exercises[0].blanks][-3:]
    ['dL/dz', 'dL/dy', 'dL/dx']
    """
    if level not in TEMPLATES:
        raise InputError(f"level {level} is none; there are levels {', '.join(map(str, TEMPLATES))}.")
    if not 1 <= count <= MOST_EXERCISES:
        raise InputError(f"a sheet has 1 to {MOST_EXERCISES} exercises, not {count}.")
    return Sheet(seed, level, tuple(made(seed, level, number) for number in range(1, count + 1)))


def made(seed: int, level: int, number: int) -> Exercise:
    """The first friendly exercise that comes up; one sheet goes through the templates in turn."""
    templates = TEMPLATES[level]
    first = int(random.Random(f"{seed}/{level}").random() * len(templates))  # a text is hashed in the same way everywhere
    rng = random.Random(f"{seed}/{level}/{number}")
    for _ in range(MOST_TRIES):
        exercise = drawn(rng, number, templates[(first + number) % len(templates)])
        if is_friendly(exercise):
            return exercise
    raise AssertionError(f"no friendly exercise in {MOST_TRIES} tries: seed {seed}, level {level}")


def one_of(rng: random.Random, choices: Sequence[Any]) -> Any:
    """Python promises that random() stays the same from version to version, and of choice() it does not."""
    return choices[int(rng.random() * len(choices))]


WHOLE = (-3, -2, -1, 1, 2, 3, 4)
HALVES = (-1.5, -0.5, 0.5, 1.5, 2.5)
SHARE_OF_HALVES = 0.2


def drawn(rng: random.Random, number: int, template: Template) -> Exercise:
    formula = template.formula.format(sign=one_of(rng, SIGNS), gate=one_of(rng, GATES))
    values = {name: one_hot(rng, shape) if name in template.one_hot else numbers(rng, shape)
              for name, shape in template.given.items()}
    return Exercise(number, formula, values, template.wrt)


def one_hot(rng: random.Random, shape: Shape) -> Any:
    place = int(rng.random() * shape[0])
    return np.array([int(i == place) for i in range(shape[0])])


def numbers(rng: random.Random, shape: Shape) -> Any:
    """Whole numbers; alone, now and then a half."""
    if shape == ():
        return one_of(rng, HALVES if rng.random() < SHARE_OF_HALVES else WHOLE)
    return np.array([one_of(rng, WHOLE) for _ in range(int(np.prod(shape)))]).reshape(shape)


# ---------------------------------------------------------------------------------------- friendly numbers
def is_friendly(exercise: Exercise) -> bool:
    """Whether a person can compute it: away from kinks, in small numbers, and not with zeros only."""
    _, named = exercise.loss()  # cheaper than the explanation, and most candidates fail here
    forward = [np.asarray(x.numpy()) for x in named.values()]
    rounded = any(word in exercise.formula for word in ROUNDED)
    if not all(is_short(x, rounded) for x in forward) or not all(fits_gate(exercise.formula, n, x.numpy())
                                                                for n, x in named.items()):
        return False
    e = exercise.explanation
    return all(np.any(g) for g in e.gradients.values()) and all(is_short(b.answer, rounded) for b in exercise.blanks)


def is_short(x: Any, rounded: bool) -> bool:
    """Whether all numbers have few digits; where values are `rounded` to four digits, whether these say enough."""
    size = np.abs(x)
    if not (size <= LARGEST).all():
        return False
    if rounded:
        return bool(((size == 0) | (size >= SMALLEST_ROUNDED)).all())
    return bool((np.remainder(size, SMALLEST_PART) == 0).all())


def fits_gate(formula: str, name: str, value: Any) -> bool:
    """Whether a value that goes into a gate is off the kink of relu, and where the others are not flat."""
    if f"relu({name})" in formula:
        return bool((np.asarray(value) != 0).all())
    limits = [limit for gate, limit in LARGEST_BEFORE.items() if re.search(rf"{re.escape(gate + name)}\b", formula)]
    return bool((np.abs(value) <= min(limits, default=LARGEST)).all())


def stated(values: Iterable[tuple[str, Any]]) -> list[str]:
    """What is given, as it is typed."""
    return [f"{name} = {plain_array(value)}" for name, value in values]
