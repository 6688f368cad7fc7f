"""A slip is a mistake people make in a derivation: a row that says what they would have got, and what to do about it."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.type import Array
from chainrule.ops.broadcasting import unbroadcast

from ..record.values import value_of
from .backtrack import Backtrack, Exchanged, Flow, shape_behind

MOST_FLOWS = 200  # of a sweep without steps in between: beyond, trying every slip at every edge takes too long
TWO_FACTORS = ("multiply", "matmul")
MOST_EXAMPLES = 64  # in a batch, of which one alone may have been taken
Changes = dict[Flow, Array | None]


@dataclass(frozen=True)
class Slip:
    """`made` yields changes of the sweep that somebody who slips so would make, each with the edge where it happens.

    In `remedy`, {argument} and {result} are the values at the ends of that edge, {operation} what stands between them.
    """

    name: str
    remedy: str
    made: Callable[[Backtrack], Iterable[tuple[Flow, Changes]]]


def along(change: Callable[[Flow, Array], Iterable[Array]]) -> Callable[[Backtrack], Iterator[tuple[Flow, Changes]]]:
    """A slip that happens at one edge: `change` yields what would flow there instead."""
    def made(back: Backtrack) -> Iterator[tuple[Flow, Changes]]:
        for flow, g in back.upstream():
            try:
                with under(NUMPY), np.errstate(all="ignore"):
                    for d in change(flow, g):
                        yield flow, {flow: d}
            except Exception:  # the slip makes no sense at this edge: its shapes do not even fit
                continue
    return made


# ---------------------------------------------------------------------------------------- products of matrices
def products(*ways: Callable[[Array, Array], Array]) -> Callable[[Flow, Array], Iterator[Array]]:
    """The rule of an edge with its matrix product computed in other ways."""
    def change(flow: Flow, g: Array) -> Iterator[Array]:
        asked = False

        def noted(way: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
            def product(a: Array, b: Array) -> Array:
                nonlocal asked
                asked = True
                return way(a, b)
            return product
        for way in ways:
            try:
                with under(Exchanged(noted(way))):
                    d = flow.rule(g)
            except ValueError:  # in this way the shapes do not fit: nobody went it
                continue
            if asked:
                yield d
    return change


def turned(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


# ---------------------------------------------------------------------------------------- sums
def unsummed(flow: Flow, g: Array) -> Array | None:
    """The contribution to an argument that was repeated, or to a bias, before the sum over the repetitions."""
    if flow.operation == "linear" and flow.position == 2 and flow.result.ndim > 1:
        return g
    if flow.slope is None or shape_behind(flow) == flow.result.shape:
        return None
    values = [v if v is None else np.broadcast_to(v, flow.result.shape) for v in flow.result.values]
    return flow.rule(g, None, values)


def summed_axis(flow: Flow) -> int | None:
    """The axis of the gradient arriving over which the examples of a batch are added up."""
    if flow.operation == "linear":
        return 0 if flow.position else None
    if flow.operation == "matmul" and flow.result.ndim == 2:
        return -1 if flow.position == 0 else 0
    lost = flow.slope is not None and flow.result.ndim > len(shape_behind(flow))
    return 0 if lost else -1 if flow.slope is not None and shape_behind(flow)[-1:] == (1,) else None


def no_batch_sum(flow: Flow, g: Array) -> Iterator[Array]:
    """Without the sum; or for one example of the batch only."""
    axis = summed_axis(flow)
    if axis is None or not 1 < g.shape[axis] <= MOST_EXAMPLES:
        return
    whole = unsummed(flow, g)
    if whole is not None:
        yield whole
    for k in range(g.shape[axis]):
        kept = np.zeros_like(g)
        chosen = (..., slice(k, k + 1)) if axis == -1 else slice(k, k + 1)
        kept[chosen] = g[chosen]
        yield flow.rule(kept)


def no_broadcast_sum(flow: Flow, g: Array) -> Iterator[Array]:
    whole = unsummed(flow, g)
    if whole is not None and len(shape_behind(flow)) == flow.result.ndim:
        yield whole


def wrong_axis(flow: Flow, g: Array) -> Iterator[Array]:
    whole = unsummed(flow, g)
    if whole is not None:
        for many in range(1, whole.ndim + 1):
            for axes in combinations(range(whole.ndim), many):
                d = whole.sum(axes)
                if d.shape != shape_behind(flow) or not np.array_equal(d, flow.rule(g)):
                    yield d


def mean_for_sum(flow: Flow, g: Array) -> Iterator[Array]:
    axis = summed_axis(flow)
    if axis is not None and g.shape[axis] > 1:
        yield flow.rule(g) / g.shape[axis]


# ---------------------------------------------------------------------------------------- factors
def number_in(values: Iterable[Any]) -> float | None:
    """The one plain number among the other arguments of an operation."""
    found = [float(np.asarray(v).reshape(())) for v in values if np.size(v) == 1]
    return found[0] if len(found) == 1 and np.isfinite(found[0]) and found[0] else None


def no_mean(flow: Flow, g: Array) -> Iterator[Array]:
    """The contribution without division by how many there are."""
    if flow.operation == "mean":
        yield flow.rule(g) * (flow.argument.size / flow.result.size)
    c = number_in(flow.others) if flow.operation == "divide" and flow.position == 0 else None
    if c is not None and c > 2 and c == round(c):
        yield flow.rule(g) * c


FACTORS: dict[str, float] = {"square": 2, "squared_error": 2, "half_square": 0.5, "half_squared_error": 0.5}
"""Powers of two that people forget, or put in, at operations that hide them."""


def no_constant(flow: Flow, g: Array) -> Iterator[Array]:
    d = flow.rule(g)
    if flow.operation in FACTORS:
        yield d / FACTORS[flow.operation]
    c = number_in(flow.others)
    if c is None or flow.position:
        return
    if flow.operation == "pow" and c != 1:
        yield d / c
    if flow.operation == "divide" and not (c > 2 and c == round(c)):
        yield d * c


def no_factor(flow: Flow, g: Array) -> Iterator[Array]:
    """The gradient arriving, passed on as it is."""
    divided = flow.operation == "divide" and number_in(flow.others) is not None  # by a constant: that is another slip
    if flow.slope is not None and not divided and (callable(flow.slope) or abs(flow.slope) != 1):
        yield unbroadcast(g, flow.argument.value)


SHORT_FORMS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda a: a * (1 - a), "tanh": lambda a: 1 - a * a, "exp": lambda a: a}
"""Slopes as they are written in the result; z gets into them."""


def wrong_place(flow: Flow, g: Array) -> Iterator[Array]:
    """The slope of y = f(z) taken at y for z, or with z put where y belongs."""
    x = flow.result
    if callable(flow.slope) and len(x.values) == 1:
        yield flow.rule(g, x.prim.forward(x.value, **x.params), (x.value,))
    if flow.operation in SHORT_FORMS:
        yield g * SHORT_FORMS[flow.operation](x.values[0])


def beside(flow: Flow, g: Array, other: Array) -> Array:
    """What flows to a factor of a product with `other` as the other factor."""
    values = list(flow.result.values)
    values[1 - flow.position] = other
    return flow.rule(g, None, values)


def own_factor(flow: Flow, g: Array) -> Iterator[Array]:
    """In a product of two, the factor itself where the other one belongs."""
    if flow.operation in TWO_FACTORS:
        yield beside(flow, g, flow.argument.value)


def wrong_value(back: Backtrack) -> Iterator[tuple[Flow, Changes]]:
    """In a product of two, another value of the computation where the other factor belongs."""
    values = [v for x in back.record.values[:MOST_FLOWS] if isinstance(v := value_of(x), np.ndarray)]

    def change(flow: Flow, g: Array) -> Iterator[Array]:
        for v in values if flow.operation in TWO_FACTORS else ():
            right = flow.others[0]
            if v.shape == np.shape(right) and v is not flow.argument.value and not np.array_equal(np.transpose(v), right):
                yield beside(flow, g, v)
    yield from along(change)(back)


def only_diagonal(flow: Flow, g: Array) -> Iterator[Array]:
    if flow.operation == "softmax":
        yield g * flow.result.value * (1 - flow.result.value)


# ---------------------------------------------------------------------------------------- merges
def one_of_several(back: Backtrack) -> Iterator[tuple[Flow, Changes]]:
    """Of the flows that meet in a value, one alone kept, or one alone left out."""
    for flows in back.merges():
        if len(flows) <= MOST_EXAMPLES:
            for flow in flows:
                yield flow, {f: None for f in flows if f is not flow}
                yield flow, {flow: None}


SLIPS: tuple[Slip, ...] = (
    Slip("= for +=", "{argument} is used more than once, and its gradient is the sum of what comes back along all edges: add "
         "them up (+=), where one now replaces the others (=).", one_of_several),
    Slip("wrong sign", "The sign is turned around: look at {argument} <- {result}. In a - b, the gradient of b is minus the one "
         "arriving, and that of a is it.", along(lambda flow, g: iter([-flow.rule(g)]))),
    Slip("missing transpose", "A transpose is missing, or there is one too many, at {argument} <- {result}. Compare shapes: a "
         "gradient has the shape of its value.",
         along(products(lambda a, b: turned(a) @ b, lambda a, b: a @ turned(b), lambda a, b: turned(a @ b),
                        lambda a, b: turned(a) @ turned(b)))),
    Slip("wrong order of a product", "The factors stand in the wrong order at {argument} <- {result}: for Y = A @ B, "
         "dA = dY @ B.T and dB = A.T @ dY.",
         along(products(lambda a, b: b @ a, lambda a, b: b @ turned(a), lambda a, b: turned(b) @ a,
                        lambda a, b: turned(b) @ turned(a)))),
    Slip("forgotten sum over the batch", "{argument} is used by every example of the batch, so its gradient is the sum over the "
         "examples: a sum along the batch, at {argument} <- {result}.", along(no_batch_sum)),
    Slip("missing broadcast sum", "{operation} repeated {argument} to the shape of {result}; on the way back the repetitions are "
         "added up, until the gradient has the shape of {argument}.", along(no_broadcast_sum)),
    Slip("sum over the wrong axis", "The sum that undoes the broadcast of {argument} runs along the wrong axis: add up along the "
         "axes in which {argument} was repeated.", along(wrong_axis)),
    Slip("mean for a sum", "A mean was taken where the rule says sum, at {argument} <- {result}: the 1/N of a mean comes in "
         "once, where the loss has it.", along(mean_for_sum)),
    Slip("forgotten mean", "The mean in {result} divides by how many there are, and so does its gradient: multiply by 1/N.",
         along(no_mean)),
    Slip("wrong constant factor", "A constant factor is lost, or one too many, at {argument} <- {result} ({operation}): the "
         "derivative of u**2 is 2*u, that of u**2 / 2 is u.", along(no_constant)),
    Slip("missing factor", "What arrives at {result} was passed on as it is: multiply it by the local derivative of {operation}.",
         along(no_factor)),
    Slip("derivative at the wrong place", "The slope of {operation} belongs at {argument}, its argument, and was taken at its "
         "result {result}; or {argument} was put into the short form that wants {result}, as in a*(1 - a).", along(wrong_place)),
    Slip("factors exchanged", "In a product each factor's gradient is multiplied by the other factor; here it is {argument} "
         "itself.", along(own_factor)),
    Slip("another value in a product", "The gradient of {argument} is multiplied by the value that stood beside it on the way "
         "forward, and another one was taken: is an index too high or too low, or z in the place of a?", wrong_value),
    Slip("only the diagonal of the Jacobian", "Every element of {result} depends on every element of {argument}: to the "
         "p*(1 - p) of the diagonal belong the -p_i*p_j beside it.", along(only_diagonal)),
)
"""Added here, a slip is looked for in every derivation."""
