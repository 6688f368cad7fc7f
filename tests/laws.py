"""A law is something every operation must keep; it takes a primitive and one of its samples, and fails with AssertionError."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.core.interpreter import entered
from chainrule.core.primitive import Primitive, Sample
from chainrule.core.reverse import Recorded, Reverse
from chainrule.core.stage import stage
from chainrule.core.type import is_float, typeof
from chainrule.ops.families import pushforward

STEP = 1e-6
close = np.testing.assert_allclose


def samples(prim: Primitive) -> list[Sample]:
    return prim.samples(np.random.default_rng(0))


def canonical(prim: Primitive, sample: Sample) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return prim.prepare(*sample.args, **sample.params) if prim.prepare else (sample.args, sample.params)


def rules_of(prim: Primitive, n: int) -> list[Any]:
    return [rule for _, rule in zip(range(n), prim.backward)]


def curried(prim: Primitive, sample: Sample) -> Iterator[tuple[np.ndarray, Callable[[Any], Any]]]:
    """The operation as a function of one of its real arguments, for each that gradients flow to."""
    args, params = canonical(prim, sample)
    for i, (x, rule) in enumerate(zip(args, rules_of(prim, len(args)))):
        if rule is not None and x is not None and is_float(typeof(x).dtype):
            yield np.asarray(x), lambda x, i=i: prim(*args[:i], x, *args[i + 1:], **params)


def parts(out: Any) -> tuple[Any, ...]:
    return out if isinstance(out, tuple) else (out,)


def weighed(out: Any) -> Any:
    """One number that depends on every element of the result, each with a weight and a curvature of its own."""
    total = 0.0
    for k, y in enumerate(parts(out)):
        if is_float(typeof(y).dtype):
            weights = np.random.default_rng(7 + k).uniform(0.5, 1.5, typeof(y).shape)
            total = total + cr.sum(cr.sin(y) * weights)
    return total


def recorded(prim: Primitive, sample: Sample) -> Any:
    """One number made of an operation's result on a sample, as a tensor, or None where no gradient flows."""
    args, params = canonical(prim, sample)
    given = [cr.tensor(np.asarray(a), requires_grad=True, name=f"x{i}") if rule and a is not None and is_float(typeof(a).dtype)
             else a for i, (a, rule) in enumerate(zip(args, rules_of(prim, len(args))))]
    total = weighed(prim(*given, **params))
    return total if isinstance(total, cr.Tensor) and total.requires_grad else None


def direction(x: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).normal(size=x.shape)


def slope(f: Callable[[Any], Any], x: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (np.asarray(f(x + STEP * v)) - np.asarray(f(x - STEP * v))) / (2 * STEP)


def result_type_agrees_with_the_value(prim: Primitive, sample: Sample) -> None:
    args, params = canonical(prim, sample)
    said = prim.result(*(None if a is None else typeof(a) for a in args), **params)
    made = prim(*args, **params)
    assert isinstance(said, list) == isinstance(made, tuple), "several outputs are a tuple, their types a list"
    for t, y in zip(said if isinstance(said, list) else [said], parts(made)):
        assert t[:2] == typeof(y)[:2], f"the type rule says {t}, the value is {typeof(y)}"


def forward_mode_agrees_with_differences(prim: Primitive, sample: Sample) -> None:
    if not sample.smooth:
        return
    for x, f in curried(prim, sample):
        v = direction(x)
        for k, (_, t) in enumerate(zip(*map(parts, cr.jvp(f, x, v)))):
            close(t, slope(lambda x, k=k, f=f: parts(f(x))[k], x, v), rtol=1e-6, atol=1e-7)


def reverse_mode_is_the_adjoint_of_forward_mode(prim: Primitive, sample: Sample) -> None:
    for x, f in curried(prim, sample):
        v = direction(x)
        y, pullback = cr.vjp(f, x)
        g = tuple(np.random.default_rng(2 + k).normal(size=typeof(o).shape) for k, o in enumerate(parts(y)))
        pulled = pullback(g if isinstance(y, tuple) else g[0])[0]
        assert typeof(pulled)[:2] == typeof(x)[:2], f"the gradient of a {typeof(x)} is a {typeof(pulled)}"
        pushed = parts(cr.jvp(f, x, v)[1])
        close(np.vdot(pulled, v), sum(np.vdot(a, b) for a, b in zip(g, pushed)), rtol=1e-10, atol=1e-12)


def second_derivative_three_ways(prim: Primitive, sample: Sample) -> None:
    if not sample.smooth:
        return
    for x, f in curried(prim, sample):
        v = direction(x)
        gradient = cr.grad(lambda x, f=f: weighed(f(x)))
        over = cr.grad(lambda x, gradient=gradient, v=v: cr.sum(gradient(x) * v))(x)
        close(over, slope(gradient, x, v), rtol=1e-5, atol=1e-5)
        close(over, cr.jvp(gradient, x, v)[1], rtol=1e-8, atol=1e-10)
        close(over, cr.grad(lambda x, f=f, v=v: cr.jvp(lambda x: weighed(f(x)), x, v)[1])(x), rtol=1e-8, atol=1e-10)


def second_derivatives_in_two_arguments(prim: Primitive, sample: Sample) -> None:
    if not sample.smooth:
        return
    args, params = canonical(prim, sample)
    moving = [i for i, (x, rule) in enumerate(zip(args, rules_of(prim, len(args))))
              if rule is not None and x is not None and is_float(typeof(x).dtype)]
    for i, j in permutations(moving, 2):
        def gradient(z: Any, i: int = i, j: int = j) -> Any:
            def of(x: Any) -> Any:
                return weighed(prim(*(x if k == i else z if k == j else a for k, a in enumerate(args)), **params))
            return cr.grad(of)(args[i])

        z, u, v = np.asarray(args[j]), direction(np.asarray(args[i])), direction(np.asarray(args[j]))
        pushed = cr.jvp(gradient, z, v)[1]
        close(pushed, slope(gradient, z, v), rtol=1e-5, atol=1e-5)
        pulled = cr.grad(lambda z, gradient=gradient, u=u: cr.sum(gradient(z) * u))(z)
        close(np.vdot(pulled, v), np.vdot(pushed, u), rtol=1e-8, atol=1e-10)


def staged_equals_eager(prim: Primitive, sample: Sample) -> None:
    args, params = canonical(prim, sample)
    arrays = [a for a in args if a is not None]

    def whole(*given: Any) -> Any:
        supply = iter(given)
        return prim(*(None if a is None else next(supply) for a in args), **params)

    graph = stage(whole, *map(typeof, arrays))
    graph.check()
    for a, b in zip(parts(graph(*arrays)), parts(whole(*arrays))):
        close(a, b)
    for x, f in curried(prim, sample):
        gradient = cr.grad(lambda x, f=f: weighed(f(x)))
        program = stage(gradient, typeof(x))
        program.check()
        close(program(x), gradient(x), rtol=1e-12, atol=1e-14)
        pushed = stage(lambda x, f=f: cr.jvp(lambda x: weighed(f(x)), x, np.ones(x.shape))[1], typeof(x))
        close(pushed(x), cr.jvp(lambda x, f=f: weighed(f(x)), x, np.ones(x.shape))[1], rtol=1e-12, atol=1e-14)


def batched_equals_a_loop(prim: Primitive, sample: Sample) -> None:
    for x, f in curried(prim, sample):
        xs = np.stack([x, 0.9 * x, 1.1 * x])
        for a, b in zip(parts(cr.vmap(f)(xs)), zip(*(parts(f(x)) for x in xs))):
            close(a, np.stack(b), rtol=1e-10, atol=1e-12)
        gradient = cr.grad(lambda x, f=f: weighed(f(x)))
        close(cr.vmap(gradient)(xs), np.stack([gradient(x) for x in xs]), rtol=1e-9, atol=1e-11)
    args, params = canonical(prim, sample)
    if args and all(isinstance(a, np.ndarray) for a in args):  # all arguments batched at once, integers too
        together = cr.vmap(lambda *given: prim(*given, **params))(*(np.stack([a, a]) for a in args))
        for a, b in zip(parts(together), parts(prim(*args, **params))):
            close(a, np.stack([b, b]), rtol=1e-10, atol=1e-12)


def tangent_is_the_transpose_of_backward(prim: Primitive, sample: Sample) -> None:
    args, params = canonical(prim, sample)
    y = prim(*args, **params)
    moved = [rule is not None and x is not None and is_float(typeof(x).dtype) for x, rule in zip(args, rules_of(prim, len(args)))]
    alone = [[i] for i, moves in enumerate(moved) if moves]
    together = [i for i, moves in enumerate(moved) if moves]
    for chosen in [*alone, together] if together else []:
        tangents = [direction(np.asarray(x)) if j in chosen else None for j, x in enumerate(args)]
        for a, b in zip(parts(prim.tangent(tangents, y, *args, **params)),
                        parts(pushforward(prim.backward)(tangents, y, *args, **params))):
            close(a, b, rtol=1e-10, atol=1e-12)


def float32_stays_float32(prim: Primitive, sample: Sample) -> None:
    args, params = canonical(prim, sample)
    args = tuple(np.float32(a) if a is not None and is_float(typeof(a).dtype) else a for a in args)
    said = prim.result(*(None if a is None else typeof(a) for a in args), **params)
    for t, y in zip(said if isinstance(said, list) else [said], parts(prim(*args, **params))):
        assert t[:2] == typeof(y)[:2], f"the type rule says {t}, the value is {typeof(y)}"
    for i, (x, rule) in enumerate(zip(args, rules_of(prim, len(args)))):
        if rule is None or x is None or not is_float(typeof(x).dtype):
            continue
        with entered(Reverse()) as tape:
            box = Recorded(tape, x)
            out = parts(prim(*args[:i], box, *args[i + 1:], **params))
            for y in out:
                if tape.owns(y):
                    found = tape.gradients(y, np.ones(*typeof(y)[:2]))
                    assert found[box].dtype == np.float32, f"float32 argument {i} got a {typeof(found[box])} gradient"
        if prim.name != "cast":
            assert all(typeof(y).dtype != np.float64 for y in out), "a float64 came out of float32"


def hurried_rules_are_the_rules(prim: Primitive, sample: Sample) -> None:
    if prim.hurried is None:
        return
    args, params = canonical(prim, sample)
    for dtype in (np.float64, np.float32):
        given = tuple(np.asarray(a).astype(dtype) if is_float(typeof(a).dtype) else np.asarray(a) for a in args)
        y = prim(*given, **params)
        g = np.random.default_rng(4).normal(size=y.shape).astype(dtype)
        for short, rule in zip(prim.hurried, rules_of(prim, len(args))):
            careful, hurried = rule(g, y, *given, **params), short(g, y, given)
            assert typeof(hurried)[:2] == typeof(careful)[:2], f"the hurried rule gives {typeof(hurried)}"
            close(hurried, careful, rtol=1e-6 if dtype is np.float32 else 1e-12)


def a_gate_equals_its_body(prim: Primitive, sample: Sample) -> None:
    if prim.body is None:
        return
    args, params = canonical(prim, sample)
    for a, b in zip(parts(prim(*args, **params)), parts(prim.body(*args, **params))):
        close(a, b, rtol=1e-10, atol=1e-12)
    for i, (x, rule) in enumerate(zip(args, rules_of(prim, len(args)))):
        if rule is not None and x is not None and is_float(typeof(x).dtype):
            gradients = [cr.grad(lambda x, f=f, i=i: weighed(f(*args[:i], x, *args[i + 1:], **params)))(x)
                         for f in (prim, prim.body)]
            close(*gradients, rtol=1e-9, atol=1e-11)


LAWS = (
    result_type_agrees_with_the_value, forward_mode_agrees_with_differences, reverse_mode_is_the_adjoint_of_forward_mode,
    second_derivative_three_ways, second_derivatives_in_two_arguments, staged_equals_eager, batched_equals_a_loop,
    tangent_is_the_transpose_of_backward, float32_stays_float32, hurried_rules_are_the_rules, a_gate_equals_its_body,
)
