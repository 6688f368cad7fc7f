"""A check of a derivation compares a person's gradients with the engine's, step by step, and finds the first wrong one."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.type import is_float
from chainrule.errors import ArgumentError

from ..faces.answer import Answer
from ..faces.answers_data import derivation_check_json
from ..formulas.writing import plain_shape
from ..formulas.writing import text as text_of
from ..record.record import Record
from ..record.values import plain, value_of
from .answers import Answers
from .backtrack import Backtrack, Flow
from .derivation_html import drawn
from .derivation_text import page
from .slips import MOST_FLOWS, SLIPS

RIGHT, FOLLOWS, WRONG = "right", "consistent with the step above", "wrong"
CANCELLED = 1e-3  # of the largest term: sums smaller than that are known less exactly than their size says


@dataclass(frozen=True)
class Found:
    """A slip that gives exactly what was given: its name, and what to do about it."""

    name: str
    remedy: str


@dataclass(frozen=True)
class Step:
    """One gradient: what was expected, what was given, and what came of the comparison.

    `verdict` is "right", "wrong" or "consistent with the step above": computed rightly from an earlier step that is wrong.
    `difference` is the largest one, at `index`; infinite where the shapes differ.
    """

    name: str
    value: str
    verdict: str
    expected: Any
    given: Any
    difference: float
    index: tuple[int, ...]
    slips: tuple[Found, ...] = ()

    @property
    def slip(self) -> str | None:
        """The names of the slips that fit, or None."""
        return " or ".join(found.name for found in self.slips) or None


@dataclass(frozen=True, repr=False)
class DerivationCheck(Answer):
    """The steps of a derivation in the order of the sweep, each compared with the gradient of the loss."""

    loss: str
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        return all(step.verdict == RIGHT for step in self.steps)

    @property
    def first_wrong(self) -> Step | None:
        return next((step for step in self.steps if step.verdict == WRONG), None)

    def __getitem__(self, name: str) -> Step:
        """The step of this name."""
        steps = {step.name: step for step in self.steps}
        if name not in steps:
            raise ArgumentError(f"check_derivation: no step is called {name!r:.40}; there are {', '.join(steps)}.")
        return steps[name]

    def text(self, width: int = 80) -> str:
        """The steps as a table, and what is wrong first, for a terminal `width` columns wide."""
        return page(self, width)

    def json(self) -> str:
        """All facts as JSON; docs/json.md says what each entry means."""
        return derivation_check_json(self)

    def html(self) -> str:
        """The same as the text, for a notebook or a page; in the titles of the numbers are all their digits."""
        return drawn(self)

    def __repr__(self) -> str:
        first = self.first_wrong
        return f"<check of {len(self.steps)} steps: {f'{first.name} is wrong' if first else 'all right'}; print it>"


class Comparison:
    """The steps of one derivation, compared one after the other in the order of the sweep."""

    def __init__(self, record: Record, given: Mapping[str, Any], words: Mapping[str, Any],
                 tolerance: float | None) -> None:
        self.record = record
        self.answers = Answers(record, given, words)
        self.tolerance = tolerance or self.rounding()
        self.known: dict[Any, Any] = {}
        self.floor = 0.0

    def rounding(self) -> float:
        """How exactly equal gradients agree, relative to the largest element: the least precise dtype of record and answers."""
        values = [*(x.value for x in self.record.order), *map(value_of, self.answers.given.values())]
        dtypes = {v.dtype for v in values if isinstance(v, np.ndarray | np.generic)}
        return float(max(np.finfo(d).eps for d in dtypes if is_float(d)) ** 0.7)  # 1e-11 in float64, 1e-5 in float32

    def check(self) -> DerivationCheck:
        steps: list[Step] = []
        for name, x in self.answers.in_order():
            step = self.step(name, x, self.answers.evaluated(name), any(s.verdict == WRONG for s in steps))
            steps.append(step)
            if step.given.size == step.expected.size and (step.verdict == RIGHT or step.given.shape == step.expected.shape):
                self.known[x] = step.given.reshape(step.expected.shape).astype(x.dtype)
        return DerivationCheck(self.record.named[id(self.record.loss)], tuple(steps))

    def step(self, name: str, x: Any, given: Any, wrong_above: bool) -> Step:
        expected = plain(self.record.swept[x], x)
        back = Backtrack(self.record, x, self.known)
        self.floor = CANCELLED * back.largest_term
        difference, index = largest_difference(given, expected)
        if not np.isfinite(given).all() and not self.agree(given, expected):
            raise ArgumentError(f"check_derivation: {name} holds a number that is not finite ({given[~np.isfinite(given)][0]}), "
                                "unlike the gradient. Look for a division by zero, or a logarithm of zero, in the derivation.")
        if self.agree(given, expected) or self.as_vector(given, expected):
            return Step(name, self.record.named[id(x)], RIGHT, expected, given, difference, index)
        if back.gradient is not None and self.agree(given, back.gradient):
            verdict = FOLLOWS if wrong_above else RIGHT  # from right steps, what differs is their rounding
            return Step(name, self.record.named[id(x)], verdict, expected, given, difference, index)
        return Step(name, self.record.named[id(x)], WRONG, expected, given, difference, index, self.slips(back, given, expected))

    def agree(self, a: Any, b: Any) -> bool:
        """Whether two arrays are equal but for rounding."""
        if a.shape != b.shape:
            return False
        scale = max(self.floor, *(float(np.abs(v[np.isfinite(v)]).max(initial=0.0)) for v in (a, b)))
        return np.allclose(a, b, rtol=0, atol=self.tolerance * scale, equal_nan=True)

    def as_vector(self, given: Any, expected: Any) -> bool:
        """Whether the same vector, or number, was given as a row or a column: a convention, no mistake."""
        if given.size != expected.size or min(given.ndim, expected.ndim) > 1:
            return False
        return max(given.shape, default=1) == given.size and self.agree(given.ravel(), expected.ravel())

    # ---------------------------------------------------------------- slips
    def slips(self, back: Backtrack, given: Any, expected: Any) -> tuple[Found, ...]:
        """Every slip that explains what was given; each named once, at the edge where it is met first."""
        found: dict[str, Found] = {}
        for slip in SLIPS if len(back.flows) <= MOST_FLOWS else ():
            flow = next((flow for flow, changes in slip.made(back) if self.explains(back, changes, given)), None)
            if flow is not None:
                found[slip.name] = Found(slip.name, slip.remedy.format(**self.ends(flow)) + self.rule_of(flow))
        return tuple(found.values()) or tuple(self.misplaced(back.target, given, expected))

    def explains(self, back: Backtrack, changes: Any, given: Any) -> bool:
        try:
            changed = back.run(changes).get(back.target)
        except Exception:  # what the slip gives does not fit further down: nobody can have gone on with it
            return False
        if changed is None:
            return False
        array = plain(changed, back.target)
        return self.agree(given, array) or self.as_vector(given, array)

    def ends(self, flow: Flow) -> dict[str, str]:
        named = self.record.named
        return {"argument": named[id(flow.argument)], "result": named[id(flow.result)], "operation": flow.operation}

    def rule_of(self, flow: Flow) -> str:
        """The rule of an edge as a formula."""
        formula = self.record.written(flow.result, "rule", flow.position, lambda g, y, *args: flow.rule(g, y, args))
        name = text_of(self.record.gradient_name(flow.argument))
        return f" Along this edge {name} receives {text_of(formula)}." if formula else ""

    def misplaced(self, target: Any, given: Any, expected: Any) -> list[Found]:
        """The slips that have no edge: another gradient's array, or the right numbers in another shape."""
        for name, x in self.answers.steps.items():
            if x is not target and self.agree(given, plain(self.record.swept[x], x)):
                return [Found("arrays exchanged", f"This is the gradient in {self.record.named[id(x)]}, and belongs to {name}.")]
        if given.shape != expected.shape and given.size == expected.size:
            for other in (given.ravel(), given.T.ravel()):
                if self.agree(other, expected.ravel()):
                    return [Found("wrong shape", f"The numbers are right, in the shape {plain_shape(given.shape)}: a gradient "
                                  f"has the shape of its value, {plain_shape(expected.shape)}.")]
        return []


def largest_difference(given: Any, expected: Any) -> tuple[float, tuple[int, ...]]:
    if given.shape != expected.shape:
        return np.inf, ()
    with np.errstate(invalid="ignore"):
        apart = np.abs(given - expected)
    if not apart.size:
        return 0.0, ()
    index = np.unravel_index(int(np.argmax(apart)), apart.shape)
    return float(apart[index]), tuple(int(i) for i in index)
