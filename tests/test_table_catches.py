"""The tests are tested: faults are planted in rules and in the engine, and the laws must notice every one."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

import chainrule as cr
import laws
import test_alive
import test_checkpoint
import test_scale
import test_tensor
import test_transforms
from chainrule.core import batch, forward, reverse
from chainrule.core.primitive import Primitive
from chainrule.core.tree import tree_map
from chainrule.core.type import Type
from chainrule.ops import ALL
from chainrule.ops.broadcasting import broadcast_to, chain, sum, unbroadcast
from chainrule.ops.families import pushforward


def rule(i: int, new: Callable[..., Any]) -> Callable[[Primitive], dict[str, Any]]:
    """Another backward rule for argument `i`, and the tangent that belongs to the right one."""
    return lambda prim: {"backward": tuple(new if k == i else r for k, r in enumerate(prim.backward)), "hurried": None}


def change(**changes: Any) -> Callable[[Primitive], dict[str, Any]]:
    return lambda prim: changes


class Fault(NamedTuple):
    """What is wrong, with which operation, how, and the law that has to notice (others may, too)."""

    what: str
    prim: Primitive
    plant: Callable[[Primitive], dict[str, Any]]
    law: Callable[..., None]


ADJOINT = laws.reverse_mode_is_the_adjoint_of_forward_mode
CROSSED = laws.second_derivatives_in_two_arguments
SECOND = laws.second_derivative_three_ways
DIFFERENCES = laws.forward_mode_agrees_with_differences
TRANSPOSE = laws.tangent_is_the_transpose_of_backward
BATCH = laws.batched_equals_a_loop
STAGED = laws.staged_equals_eager
TYPES = laws.result_type_agrees_with_the_value
FLOAT32 = laws.float32_stays_float32
HURRIED = laws.hurried_rules_are_the_rules
BODY = laws.a_gate_equals_its_body

PLANTED = (
    # backward rules
    Fault("wrong sign", cr.sin, rule(0, lambda g, y, x: -g * cr.cos(x)), ADJOINT),
    Fault("missing factor", cr.square, rule(0, lambda g, y, x: g * x), ADJOINT),
    Fault("wrong function", cr.cos, rule(0, lambda g, y, x: -g * cr.cos(x)), ADJOINT),
    Fault("the other argument", cr.multiply, rule(0, lambda g, y, a, b: unbroadcast(g * a, a)), ADJOINT),
    Fault("wrong sign in one of two", cr.subtract, rule(1, lambda g, y, a, b: unbroadcast(g, b)), ADJOINT),
    Fault("output for input", cr.exp, rule(0, lambda g, y, x: g * x), ADJOINT),
    Fault("input for output", cr.tanh, rule(0, lambda g, y, x: g * (1 - x * x)), ADJOINT),
    Fault("forgotten unbroadcast", cr.add, rule(1, lambda g, y, a, b: g), ADJOINT),
    Fault("forgotten broadcast", cr.sum, rule(0, lambda g, y, x, axis, keepdims: g), ADJOINT),
    Fault("the whole sum instead of the part", broadcast_to, rule(0, lambda g, y, x, shape: sum(g) + 0.0 * x), ADJOINT),
    Fault("untransposed", cr.matmul, rule(1, lambda g, y, a, b: cr.matmul(a, g)), ADJOINT),
    Fault("wrong axes", cr.permute_dims, rule(0, lambda g, y, x, axes: cr.permute_dims(g, axes=axes)), ADJOINT),
    Fault("wrong axis", cr.sum, rule(0, lambda g, y, x, axis, keepdims: broadcast_to(cr.mean(g), shape=x.shape)), ADJOINT),
    Fault("half a gradient", cr.where, rule(1, lambda g, y, c, a, b: unbroadcast(g, a)), ADJOINT),
    Fault("nothing", cr.log, rule(0, lambda g, y, x: g * 0.0), ADJOINT),
    Fault("a term forgotten", cr.divide, rule(1, lambda g, y, a, b: unbroadcast(-g * y, b)), ADJOINT),
    Fault("not linear in g", cr.exp, rule(0, lambda g, y, x: g * g * y), ADJOINT),
    # backward rules that are right once
    Fault("NumPy in the rule", cr.sin, rule(0, lambda g, y, x: g * np.cos(bare(x))), SECOND),
    Fault("stop_gradient in the rule", cr.exp, rule(0, lambda g, y, x: g * cr.stop_gradient(y)), SECOND),
    Fault("a constant remembered", cr.square, rule(0, lambda g, y, x: g * (2 * bare(x))), SECOND),
    Fault("a gradient stopped", cr.multiply, rule(1, lambda g, y, a, b: unbroadcast(cr.stop_gradient(g) * a, b)), SECOND),
    Fault("the other argument remembered", cr.multiply, rule(0, lambda g, y, a, b: unbroadcast(g * bare(b), a)), CROSSED),
    Fault("the other argument stopped", cr.matmul, rule(1, lambda g, y, a, b: cr.matmul(cr.stop_gradient(a).mT, g)), CROSSED),
    # dtypes
    Fault("a float64 constant", cr.square, rule(0, lambda g, y, x: g * x * np.array(2.0)), FLOAT32),
    Fault("a float64 result", cr.sin, change(forward=lambda x: np.sin(np.float64(x))), FLOAT32),
    Fault("the result's type wrong", cr.sum, change(result=lambda t, axis, keepdims: t), TYPES),
    Fault("the result's dtype wrong", cr.sin, change(result=lambda t: Type(t.shape, np.dtype("float64"))), FLOAT32),
    # tangents
    Fault("a tangent with the wrong sign", cr.cos, change(tangent=lambda t, y, x: t[0] * cr.sin(x)), DIFFERENCES),
    Fault("a tangent of another rule", cr.sum, change(tangent=lambda t, y, x, axis, keepdims: cr.mean(t[0]) + 0 * y), TRANSPOSE),
    Fault("only the first tangent", cr.multiply, change(tangent=lambda t, y, a, b: chain(t[0], b) if t[0] is not None else
                                                        chain(t[1], a)), TRANSPOSE),
    # batches, programs, shortcuts
    Fault("a batch rule that forgets the batch", cr.sum,
          change(batch=lambda flags, x, axis, keepdims: cr.sum(x, axis=axis, keepdims=keepdims)), BATCH),
    Fault("a batch rule that shares an example", cr.sin, change(batch=lambda flags, x: cr.sin(x) * 0 + cr.sin(x[0])), BATCH),
    Fault("a batch rule without alignment", cr.add, change(batch=lambda flags, a, b: cr.add(a, b)), BATCH),
    Fault("a rule that looks at numbers", cr.exp, rule(0, lambda g, y, x: g * y * (1.0 if np.all(bare(y) > 0) else 2.0)), STAGED),
    Fault("a hurried rule with a wrong sign", cr.sin, change(hurried=(lambda g, y, args: -g * np.cos(args[0]),)), HURRIED),
    Fault("a hurried rule that forgets to sum", cr.multiply, change(hurried=(lambda g, y, args: g * args[1],) * 2), HURRIED),
    Fault("a body that is another function", cr.sigmoid, change(body=lambda x: 1 / (1 + cr.exp(x))), BODY),
)


def bare(x: Any) -> Any:
    """What a rule must not do: look at the numbers themselves."""
    while hasattr(x, "owner"):
        x = x.value
    return x


def noticed(prim: Primitive, law: Callable[..., None], by: type[Exception] = Exception) -> bool:
    for sample in laws.samples(prim):
        try:
            with np.errstate(all="ignore"):
                law(prim, sample)
        except by:
            return True
    return False


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: f"{fault.what} ({fault.prim.name})")
def test_the_law_notices(fault):
    assert not noticed(fault.prim, fault.law), "the law refuses the operation as it is"
    broken = replace(fault.prim, **fault.plant(fault.prim))
    assert noticed(broken, fault.law), f"{fault.law.__name__} did not notice: {fault.what}"


# ---------------------------------------------------------------------------------------- every rule of every operation
MUTATIONS: dict[str, tuple[Callable[..., Any], tuple[Callable[..., None], ...]]] = {
    "the wrong sign": (lambda rule: lambda g, *given, **params: rule(tree_map(lambda g: g * -1.0, g), *given, **params),
                       (ADJOINT, DIFFERENCES, TRANSPOSE, BODY)),
    "one per cent too much": (lambda rule: lambda g, *given, **params: rule(tree_map(lambda g: g * 1.01, g), *given, **params),
                              (ADJOINT, DIFFERENCES, TRANSPOSE, BODY)),
    "its values taken for constants": (lambda rule: lambda g, *given, **params: rule(g, *cr.stop_gradient(given), **params),
                                       (SECOND, CROSSED, BODY)),
}


def mutants(prim: Primitive, mutate: Callable[..., Any]) -> Iterator[tuple[int, Primitive]]:
    """The operation with one rule broken; the tangent follows the rule, as where a declaration gives none."""
    args, _ = laws.canonical(prim, laws.samples(prim)[0])
    rules = laws.rules_of(prim, len(args))
    for i, right in enumerate(rules):
        if right is not None:
            backward = tuple(mutate(right) if k == i else r for k, r in enumerate(rules))
            yield i, replace(prim, backward=backward, tangent=pushforward(backward), hurried=None)


def harmless(prim: Primitive, mutant: Primitive) -> bool:
    """Whether the broken rule has the same first and second derivatives, as where all of them are zero."""
    for sample in laws.samples(prim):
        for (x, f), (_, g) in zip(laws.curried(prim, sample), laws.curried(mutant, sample)):
            u = laws.direction(x)
            for order in (1, 2):
                pair = [cr.grad(lambda x, h=h: laws.weighed(h(x))) for h in (f, g)]
                if order == 2:
                    pair = [cr.grad(lambda x, h=h, u=u: cr.sum(h(x) * u)) for h in pair]
                a, b = (h(x) for h in pair)
                if not np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True):
                    return False
    return True


@pytest.mark.parametrize("what", MUTATIONS)
def test_no_rule_of_any_operation_can_be_broken_unnoticed(what):
    mutate, trusted = MUTATIONS[what]
    with np.errstate(all="ignore"):
        unnoticed = [f"{prim.name}, argument {i}" for prim in ALL for i, mutant in mutants(prim, mutate)
                     if not any(noticed(mutant, law, by=AssertionError) for law in trusted) and not harmless(prim, mutant)]
    assert not unnoticed, f"{what}: {'; '.join(unnoticed)}"


def test_enough_is_planted():
    assert len(PLANTED) + len(ENGINE) >= 40
    assert {fault.law for fault in PLANTED} == set(laws.LAWS), "every law has a fault that it alone is trusted with"


# ---------------------------------------------------------------------------------------- faults of the machine
def without_accumulation(monkeypatch):
    sweep = reverse.Reverse.sweep

    def forgetful(self, root, seed, **options):
        order = self.history(root)
        last = {}
        for x in order:
            for a in x.sources:
                if a is not None:
                    last[a] = x
        for x in order:  # the sweep over a graph in which each value is used by its last user only
            x.sources = tuple(a if a is not None and last[a] is x else None for a in x.sources)
        return sweep(self, root, seed, **{**options, "order": order})

    monkeypatch.setattr(reverse.Reverse, "sweep", forgetful)


def in_order_of_discovery(monkeypatch):
    def history(self, root):
        seen, stack = {root: None}, [root]
        while stack:
            for a in stack.pop().sources:
                if a is not None and a not in seen:
                    seen[a] = None
                    stack.append(a)
        return list(seen)
    monkeypatch.setattr(reverse.Reverse, "history", history)


def any_box_is_mine(monkeypatch):
    monkeypatch.setattr(forward.Forward, "owns", lambda self, x: isinstance(x, forward.Dual))


def any_batch_is_mine(monkeypatch):
    monkeypatch.setattr(batch.Batch, "owns", lambda self, x: isinstance(x, batch.Stacked))


def tangents_stay_behind(monkeypatch):
    apply = forward.Forward.apply

    def dropping(self, prim, args, params):
        out = apply(self, prim, args, params)
        if isinstance(out, forward.Dual) and prim.name == "multiply":
            out.tangent = out.tangent * 0.0
        return out
    monkeypatch.setattr(forward.Forward, "apply", dropping)


def hooks_ignored(monkeypatch):
    monkeypatch.setattr(reverse, "hooked", lambda x, g: g)


def never_looks_for_nan(monkeypatch):
    monkeypatch.setattr(reverse, "has_nan", lambda g: False)


def parts_lost(monkeypatch):
    monkeypatch.setattr(reverse.Parts, "__add__", lambda self, other: other)


def recursive_history(monkeypatch):
    def history(self, root):
        seen = set()

        def visit(x):
            seen.add(x)
            for a in x.sources:
                if a is not None and a not in seen:
                    visit(a)
        visit(root)
        return sorted(seen, key=lambda x: x.serial, reverse=True)
    monkeypatch.setattr(reverse.Reverse, "history", history)


def clean_slopes():
    x = cr.tensor([0.0, 4.0], requires_grad=True)
    cr.sum(cr.where(x > 0, cr.sqrt(x), 0.0 * x)).backward()
    assert x.grad.tolist() == [0.0, 0.25]


ENGINE = {  # the fault: (how it is planted, the test that has to notice)
    "contributions are not added": (without_accumulation, test_alive.test_contributions_add_where_paths_meet),
    "the order of discovery": (in_order_of_discovery, test_tensor.test_a_value_waits_for_all_its_users),
    "perturbations confused": (any_box_is_mine, lambda: test_transforms.test_perturbations_are_not_confused("jvp", "jvp")),
    "batches confused": (any_batch_is_mine, test_transforms.test_batches_nest),
    "tangents dropped": (tangents_stay_behind, lambda: test_transforms.test_two_transforms_nest_in_every_order(("jvp", "vmap"))),
    "hooks not called": (hooks_ignored, test_tensor.test_a_hook_sees_the_whole_gradient_and_may_replace_it),
    "0 x inf not looked for": (never_looks_for_nan, clean_slopes),
    "one of several outputs forgotten": (parts_lost, test_checkpoint.test_trees_and_several_outputs),
    "recursion": (recursive_history, lambda: test_scale.test_a_long_chain_sweeps(nodes=5_000)),
}


@pytest.mark.parametrize("fault", ENGINE)
def test_a_fault_of_the_machine_is_noticed(fault, monkeypatch):
    plant, test = ENGINE[fault]
    test()
    plant(monkeypatch)
    with suppress(Exception, RecursionError):
        test()
        pytest.fail(f"not noticed: {fault}")
