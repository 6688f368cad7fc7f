"""A check of gradients compares every rule a function uses with finite differences, and names the one that is wrong."""
from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.core.interpreter import under
from chainrule.core.primitive import Primitive
from chainrule.core.reverse import pick
from chainrule.core.tree import flatten, paths, unflatten
from chainrule.core.type import Array, is_float, typeof
from chainrule.errors import DTypeError, PrecisionWarning, RuleError

from . import random
from .cuts import told
from .differences import Comparison, FloatArray, compare, likely_cause
from .eager import EAGER
from .ops.arithmetic import multiply
from .ops.broadcasting import sum as total
from .tensor import Tensor, tensor
from .transforms import jvp, vjp

SAME = 8  # nodes of the same operation on the same types that are looked at
ORDINAL = {1: "1st", 2: "2nd"}


@dataclass
class GradientReport:
    """What was compared when all was right."""

    order: int
    rules: list[str] = field(default_factory=list)  # "operation: argument", one for each rule looked at
    worst: float = 0.0  # the largest disagreement, relative to the largest element of its gradient or 1
    skipped: list[str] = field(default_factory=list)  # elements on a kink, or where no difference can be trusted

    def note(self, what: str, line: str | None, result: Comparison) -> None:
        """Add one comparison to the report."""
        self.worst = max(self.worst, result.worst)
        where = f" at {line}" if line else ""
        for reason, elements in (("on a kink", result.kinks), ("where no difference can be trusted", result.undefined)):
            if elements:
                shown = ", ".join(f"[{', '.join(map(str, i))}]" for i in elements[:5]) + (", ..." if len(elements) > 5 else "")
                said = f"{what}{where}: {len(elements)} element{'s' * (len(elements) > 1)} {reason}: {shown}"
                if said not in self.skipped:
                    self.skipped.append(said)

    def __str__(self) -> str:
        head = (f"{len(self.rules)} rules of {len({r.split(':')[0] for r in self.rules})} operations agree with differences to "
                f"{self.worst:.1e}, up to the {ORDINAL[self.order]} order")
        return "\n".join([head, *(f"  skipped {s}" for s in self.skipped)])


def check_gradients(f: Callable[..., Any], *args: Any, order: int = 2, rtol: float = 1e-5) -> GradientReport:
    """Compare every rule that `f(*args)` uses, and its whole gradient, with finite differences in float64.

    Arguments are trees of real arrays, taken to float64; integers stay as they are. The result may be any tree. Each recorded
    operation is first checked alone, at its actual values: backward rule, tangent rule and, for `order=2`, the derivative of
    the backward rule. Then the whole function is. Elements on a kink have no derivative to compare with; the report lists them.

    Raises RuleError, naming the operation, the argument, the element, both values, and the line that called it.

    >>> import chainrule as cr, numpy as np
    >>> report = cr.check_gradients(lambda x: cr.sin(x) * x, np.array([0.5, 1.0]))
    >>> report.rules
    ['sin: x', 'multiply: a', 'multiply: b']
    """
    leaves, structure = flatten(args)
    arrays = [np.asarray(x.value if isinstance(x, Tensor) else x) for x in leaves]
    values = [x.astype(np.float64) if is_float(x.dtype) else x for x in arrays]
    if not any(is_float(x.dtype) for x in values):
        raise DTypeError(f"check_gradients: no argument is made of real numbers: {', '.join(str(typeof(x)) for x in values)}. "
                         "Write 2.0 instead of 2.")
    report = GradientReport(order)
    whole = Whole(f, structure, values, list(paths(args)))
    with under(EAGER), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", PrecisionWarning)
        seen: Counter[Any] = Counter()
        for node in whole.nodes():
            kind = (node.prim, tuple(typeof(v) for v in node.values if v is not None), repr(node.params))
            seen[kind] += 1
            if seen[kind] <= SAME:
                check_node(node, order, rtol, report)
        for k in range(1, order + 1):
            whole.check(k, rtol, report)
    return report


# ---------------------------------------------------------------------------------------- one operation alone
def check_node(node: Tensor, order: int, rtol: float, report: GradientReport) -> None:
    """Check the rules of one recorded operation at its values."""
    prim = node.prim
    assert prim is not None
    values = [np.asarray(v, np.float64) if v is not None and is_float(typeof(v).dtype) else v for v in node.values]
    for i, (a, rule) in enumerate(zip(node.args, prim.backward)):
        if rule is None or not isinstance(a, Tensor) or not a.requires_grad:
            continue
        if coarse(node.value):
            report.skipped.append(f"{prim.name}: {argument_name(prim, i)} at {node.line}: it computes in less than float64, too "
                                  "coarsely for differences")
            continue
        rule_check = RuleCheck(node, prim, values, i, rtol, report)
        rule_check.backward()
        rule_check.tangent()
        if order > 1:
            for j, (b, other) in enumerate(zip(node.args, prim.backward)):
                if other is not None and isinstance(b, Tensor) and b.requires_grad:
                    rule_check.again(j)
        report.rules.append(f"{prim.name}: {argument_name(prim, i)}")


def coarse(y: Array) -> bool:
    """Whether a result has fewer digits than a difference needs."""
    return any(is_float(typeof(o).dtype) and typeof(o).dtype.itemsize < 8 for o in (y if isinstance(y, tuple) else (y,)))


def argument_name(prim: Primitive, i: int) -> str:
    """What the operation's own signature calls its argument `i`."""
    kinds = inspect.Parameter
    parameters = inspect.signature(prim.declared or prim.forward).parameters.values()
    names = [p.name for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    return names[i] if i < len(names) else f"number {i}"


def weights(y: Array, seed: int) -> Any:
    """A weight for every element of a result, in its own structure of one or several arrays."""
    dice = np.random.default_rng(seed)
    if isinstance(y, tuple):
        return tuple(dice.normal(size=typeof(o).shape) for o in y)
    return dice.normal(size=typeof(y).shape)


def weighed(y: Array, g: Any) -> float:
    pairs = zip(y, g) if isinstance(y, tuple) else [(y, g)]
    return float(sum(np.vdot(w, np.asarray(o, np.float64)) for o, w in pairs if is_float(typeof(o).dtype)))


class RuleCheck:
    """One argument of one recorded operation, and its rule."""

    def __init__(self, node: Tensor, prim: Primitive, values: list[Any], i: int, rtol: float, report: GradientReport) -> None:
        self.node, self.prim, self.values, self.i, self.rtol, self.report = node, prim, values, i, rtol, report
        self.y = self.at(i, values[i])
        self.g = weights(self.y, seed=1)

    def at(self, j: int, x: Array) -> Array:
        """The operation with argument `j` set to `x`."""
        return self.prim(*self.values[:j], x, *self.values[j + 1:], **self.node.params)

    def backward(self) -> None:
        x = self.values[self.i]
        self.judge("the rule", 1, self.rule(), x, lambda x: weighed(self.at(self.i, x), self.g))

    def rule(self) -> FloatArray:
        """What the backward rule says."""
        x = self.values[self.i]
        rule = next(r for k, r in enumerate(self.prim.backward) if k == self.i)
        assert rule is not None
        try:
            d = rule(self.g, self.y, *self.values, **self.node.params)
        except Exception as error:
            raise RuleError(f"{self.where()}: the rule fails: {type(error).__name__}: {error}") from error
        d = np.zeros_like(x) if d is None else np.asarray(d.value if isinstance(d, Tensor) else d)
        if d.shape != x.shape:
            raise RuleError(f"{self.where()}: the rule gives shape {d.shape} for an argument of shape {x.shape}. Sum over the "
                            "axes along which it was broadcast, with unbroadcast(g, x).")
        return d

    def tangent(self) -> None:
        """The tangent rule along one direction, beside the backward rule, which is right by now."""
        x = self.values[self.i]
        v = np.random.default_rng(2).normal(size=x.shape)
        try:
            pushed = jvp(lambda x: self.at(self.i, x), x, v)[1]
        except Exception as error:
            raise RuleError(f"{self.where()}: the tangent rule fails: {type(error).__name__}: {error}") from error
        got, expected = weighed(pushed, self.g), float(np.vdot(self.rule(), v))
        if not np.isclose(got, expected, rtol=1e-8, atol=1e-10, equal_nan=True):
            raise RuleError(f"{self.where()}: the tangent rule is wrong: along a direction it gives {got:.8g}, the backward "
                            f"rule, which agrees with differences, {expected:.8g}.")

    def again(self, j: int) -> None:
        """The derivative of the backward rule in argument `j`."""
        x = self.values[self.i]
        u = np.random.default_rng(3).normal(size=x.shape)

        def pulled(z: Array) -> Array:
            of_x = (lambda x: self.at(self.i, x)) if j == self.i else (
                lambda x: self.prim(*(x if k == self.i else z if k == j else v for k, v in enumerate(self.values)),
                                    **self.node.params))
            return vjp(of_x, z if j == self.i else x)[1](self.g)[0]

        try:
            d = vjp(pulled, self.values[j])[1](u)[0]
        except Exception as error:
            raise RuleError(f"{self.where()}: the rule cannot be differentiated again: {type(error).__name__}: {error}. Write "
                            "it in chainrule's operations, not NumPy's.") from error
        of = "" if j == self.i else f" in {argument_name(self.prim, j)}"
        self.judge(f"the derivative{of} of the rule", 2, np.asarray(d), self.values[j], lambda z: float(np.vdot(u, pulled(z))))

    def judge(self, what: str, order: int, d: FloatArray, x: FloatArray, f: Callable[[FloatArray], float]) -> None:
        result = compare(f, x, d, self.rtol)
        if result.wrong:
            index, got, expected = result.wrong
            place = f" at element {list(index)}, where {argument_name(self.prim, self.i)} is {x[index]:.6g}," if index else ""
            assert result.found is not None
            raise RuleError(f"{self.where()}: {what} is wrong{place} ({ORDINAL[order]} order): it gives {got:.8g}, differences "
                            f"give {expected:.8g}. {likely_cause(d, result.found)}".rstrip())
        self.report.note(f"{self.prim.name}: {argument_name(self.prim, self.i)}", self.node.line, result)

    def where(self) -> str:
        types = ", ".join(str(typeof(v)) for v in self.values if v is not None)
        return f"{self.prim.name}({types}) at {self.node.line}: argument {argument_name(self.prim, self.i)}"


# ---------------------------------------------------------------------------------------- the whole function
class Whole:
    """The function, as one number that depends on every element of its result."""

    def __init__(self, f: Callable[..., Any], structure: Any, values: list[Any], names: list[str]) -> None:
        self.f, self.structure, self.values, self.names = f, structure, values, names
        self.dice = random.get_state()
        self.leaves = [tensor(x, requires_grad=is_float(x.dtype)) for x in values]

    def outputs(self, leaves: list[Any]) -> list[Any]:
        """The arrays the function returns; random numbers it draws are the same at each call."""
        random.set_state(self.dice)
        return flatten(self.f(*unflatten(self.structure, leaves)))[0]

    def objective(self, leaves: list[Any]) -> Any:
        outputs = [y for y in self.outputs(leaves) if is_float(typeof(y).dtype)]
        parts = [total(multiply(y, weights(y, seed=k))) for k, y in enumerate(outputs)]
        return sum(parts[1:], parts[0]) if parts else tensor(0.0)

    def nodes(self) -> list[Tensor]:
        """Every recorded operation of the function itself, oldest first."""
        history = EAGER.history(EAGER.join(tuple(y for y in self.outputs(self.leaves) if self.recorded(y))))
        return [x for x in reversed(history) if isinstance(x, Tensor) and x.prim is not None and x.prim is not pick]

    def recorded(self, y: Any) -> bool:
        return isinstance(y, Tensor) and y.requires_grad

    def gradients(self, root: Any, leaves: list[Any], *, create_graph: bool) -> list[Any]:
        if not self.recorded(root):
            return [np.zeros(typeof(x).shape) for x in leaves]
        found = EAGER.gradients(root, np.ones(root.shape, root.dtype), set(leaves), create_graph=create_graph)
        return [found.get(x, np.zeros(typeof(x).shape)) for x in leaves]

    def pulled(self, leaves: list[Any]) -> Any:
        """Its gradients, weighed: what is differentiated for the second order."""
        found = self.gradients(self.objective(leaves), leaves, create_graph=True)
        parts = [total(multiply(d, weights(d, seed=100 + k))) for k, d in enumerate(found)]
        return sum(parts[1:], parts[0])

    def check(self, order: int, rtol: float, report: GradientReport) -> None:
        of = self.objective if order == 1 else self.pulled
        found = self.gradients(of(self.leaves), self.leaves, create_graph=False)
        for k, (x, d, name) in enumerate(zip(self.values, found, self.names)):
            if not is_float(x.dtype):
                continue

            def number(z: FloatArray, k: int = k) -> float:
                given = [z if i == k else v for i, v in enumerate(self.values)]
                out = of([tensor(v, requires_grad=order > 1 and is_float(v.dtype)) for v in given])
                return float(out.value if isinstance(out, Tensor) else out)

            result = compare(number, x, np.asarray(d.value if isinstance(d, Tensor) else d), rtol)
            if result.wrong:
                index, got, expected = result.wrong
                cuts = [a.cut for node in self.nodes() for a in node.args if isinstance(a, Tensor) and a.cut]
                raise RuleError(
                    f"the whole function: its {ORDINAL[order]} derivative in argument {name}{list(index) if index else ''} is "
                    f"{got:.8g}, differences give {expected:.8g}, though every rule alone agrees with differences: a value was "
                    f"cut from the graph, or changed between calls, or contributions were not added up.{told(cuts)}")
            report.note(f"the whole function: argument {name}", None, result)
