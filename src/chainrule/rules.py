"""A custom rule is a gradient that somebody wrote by hand for a function of their own."""
from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np

from chainrule.core import interpreter
from chainrule.core.interpreter import NUMPY, Box, interpreter_of_users, now, under
from chainrule.core.primitive import Primitive, Together
from chainrule.core.stage import stage
from chainrule.core.tree import LEAF, Structure, entries, flatten, leaves_like, tree_map, unflatten
from chainrule.core.type import Array, Type, is_float, typeof
from chainrule.errors import ArgumentError, EscapedError, ShapeError
from chainrule.ops import broadcasting
from chainrule.ops.families import pushforward

from . import eager
from .transforms import as_array, vmap, zeros

Function = Callable[..., Any]


def custom_rule(*, backward: Function, tangent: Function | None = None) -> Callable[[Function], Function]:
    """Give the decorated function a backward rule of its own.

    `backward(g, y, *args, **options)` gets the gradient `g` of the result `y`, and the arguments; it returns a tuple with the
    gradient of each argument, in its shape, or None where nothing flows. `tangent(tangents, y, *args, **options)`, for forward
    mode, gets a tuple of tangents and returns that of the result; without it, the transpose of `backward` is used. Positional
    arguments are arrays or trees of them, keyword-only arguments are options.

    Function and rules are written in chainrule's operations, so that they can be differentiated again and batched. What the
    function computes from must come in as an argument: no gradient could flow to values it captures.

    Raises ArgumentError for the wrong number of gradients, ShapeError for a gradient of the wrong shape.

    >>> import chainrule as cr
    >>> @cr.custom_rule(backward=lambda g, y, x: (g * 2 * x,))
    ... def square(x):
    ...     return x * x
    >>> cr.grad(square)(3.0)
    np.float64(6.0)
    """
    def decorate(f: Function) -> Function:
        signature = inspect.signature(f)

        def of(*args: Any, **options: Any) -> Any:
            bound = signature.bind(*args, **options)
            bound.apply_defaults()
            call = Call(f, backward, tangent, bound.args, bound.kwargs)
            leaves = flatten(bound.args)[0]
            outputs = call.primitive()(*leaves)
            return unflatten(call.result, list(outputs) if isinstance(outputs, tuple) else [outputs])
        return update_wrapper(of, f)
    return decorate


class Call:
    """One call of a function with a rule: the function and its rules, spoken in leaves instead of trees."""

    def __init__(self, f: Function, backward: Function, tangent: Function | None, args: tuple[Any, ...],
                 options: dict[str, Any]) -> None:
        self.f, self.backward, self.tangent, self.options = f, backward, tangent, options
        self.name = getattr(f, "__name__", repr(f))
        self.structure = flatten(args)[1]
        self.result = Structure(None, (), ())  # known when the function has run

    def run(self, *leaves: Array) -> Array:
        outputs, self.result = flatten(self.f(*unflatten(self.structure, list(leaves)), **self.options))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def tree(self, y: Array) -> Any:
        """One value or a tuple of values as the function's result."""
        return unflatten(self.result, list(y) if isinstance(y, tuple) else [y])

    def pull(self, g: Array, y: Array, *leaves: Array) -> list[Array]:
        """The gradient of each leaf, or None, checked."""
        args = unflatten(self.structure, list(leaves))
        given = self.backward(self.tree(g), self.tree(y), *args, **self.options)
        given = given if type(given) is tuple else (given,)
        if len(given) != len(args):
            raise ArgumentError(f"{self.name}: its backward rule ({where(self.backward)}) returned {len(given)} gradients for "
                                f"{len(args)} arguments. Return a tuple with one for each, None where nothing flows.")
        found = [d for i, (child, arg) in enumerate(zip(self.structure.children, given))
                 for d in gradient_leaves(child, arg, f"{self.name}: the gradient of argument {i}")]
        return [self.checked(d, x, i) for i, (d, x) in enumerate(zip(found, leaves))]

    def checked(self, d: Array, x: Array, i: int) -> Array:
        """A gradient in the shape and the dtype of its argument."""
        if d is None or not is_float(typeof(x).dtype):
            return None
        if typeof(d).shape != typeof(x).shape:
            raise ShapeError(f"{self.name}: its backward rule ({where(self.backward)}) returned a gradient of shape "
                             f"{typeof(d).shape} for array {i}, which is {typeof(x)}. A gradient has the shape of its argument; "
                             "sum over the axes along which the argument was broadcast.")
        d = d if isinstance(d, Box) else np.asarray(d)
        return d if typeof(d).dtype == typeof(x).dtype else broadcasting.cast(d, dtype=typeof(x).dtype)

    def push(self, tangents: tuple[Array, ...], y: Array, *leaves: Array) -> Array:
        """The tangent of the result."""
        assert self.tangent is not None
        args, moves = (unflatten(self.structure, list(x)) for x in (leaves, tangents))
        given = leaves_like(self.result, self.tangent(moves, self.tree(y), *args, **self.options), f"{self.name}: its tangent")
        return tuple(given) if isinstance(y, tuple) else given[0]

    def primitive(self) -> Primitive:
        return declared(self.name, self.run, self.pull, self.push if self.tangent else None, inspect.getdoc(self.f) or "")


def where(f: Function) -> str:
    """`file:line` of a function, as far as it has one."""
    code = getattr(f, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(f)


def gradient_leaves(structure: Structure, given: Any, what: str) -> list[Array]:
    """The leaves of a gradient; None stands for a whole tree without gradient."""
    if given is None:
        return [None] * structure.size
    if structure.kind is LEAF:
        return leaves_like(structure, given, what)
    _, keys, values = entries(given)
    if set(keys) != set(structure.keys):
        raise ArgumentError(f"{what} is {flatten(given)[1]}, and the argument {structure}. Return the same containers and keys.")
    found = dict(zip(keys, values))
    return [d for key, child in zip(structure.keys, structure.children) for d in gradient_leaves(child, found[key], what)]


def declared(name: str, run: Function, pull: Function, push: Function | None, doc: str) -> Primitive:
    """The operation of one call: `run(*leaves)`, `pull(g, y, *leaves)` and perhaps `push(tangents, y, *leaves)`."""
    rules = Together(lambda g, y, args, params: by_user(pull, g, y, *args), None)

    def tangent(tangents: list[Array], y: Array, *args: Array) -> Array:
        return by_user(push, tuple(zeros(x) if t is None else t for t, x in zip(tangents, args)), y, *args)

    def result(*types: Type) -> Any:
        out = stage(run, *types).output
        return [typeof(y) for y in out] if isinstance(out, tuple) else typeof(out)

    return Primitive(
        name, forward=lambda *values: alone(name, run, values), backward=rules, tangent=tangent if push else pushforward(rules),
        batch=lambda flags, *values: batched(name, run, pull, push, doc, flags)(*values), result=result,
        samples=lambda rng: [], body=run, doc=doc)


def batched(name: str, run: Function, pull: Function, push: Function | None, doc: str, flags: list[bool]) -> Primitive:
    """The same operation on a batch; arguments that all examples share get the sum of their gradients."""
    axes = tuple(0 if b else None for b in flags)

    def pull_all(g: Array, y: Array, *leaves: Array) -> list[Array]:
        found = vmap(pull, in_axes=(0, 0, *axes))(g, y, *leaves)
        return [d if d is None or b else broadcasting.sum(d, axis=0) for d, b in zip(found, flags)]

    def push_all(tangents: tuple[Array, ...], y: Array, *leaves: Array) -> Array:
        assert push is not None
        n = len(leaves)
        return vmap(lambda *a: push(a[:n], a[n], *a[n + 1:]), in_axes=(*axes, 0, *axes))(*tangents, y, *leaves)

    return declared(name, vmap(run, in_axes=axes), pull_all, push_all if push else None, doc)


def as_tensor(x: Array) -> Array:
    return eager.constant(x) if isinstance(x, np.ndarray | np.generic) else x


def by_user(rule: Function | None, *given: Any) -> Any:
    """A user's rule called in a sweep: it sees tensors where the sweep has arrays."""
    assert rule is not None
    here, users = now(), interpreter_of_users()
    if users is not interpreter.ground:
        return rule(*given)
    with under(users):
        found = rule(*tree_map(as_tensor, given))
    return tree_map((lambda d: eager.number(d, "custom_rule")) if here is NUMPY else eager.plain, found)


def alone(name: str, run: Function, values: tuple[Array, ...]) -> Array:
    """A user's function on arrays, refusing values that it captured and that are being differentiated."""
    captured = (f"{name}: the function captured a value that is being differentiated, and its rule has no gradient for it. Pass "
                "it as an argument, or capture cr.stop_gradient(value).")
    try:
        with under(interpreter.ground):
            outputs = flatten(out := run(*map(as_tensor, values)))[0]
    except EscapedError as error:
        raise ArgumentError(captured) from error
    if any(type(y) is eager.Tensor and y.requires_grad for y in outputs):
        raise ArgumentError(captured)
    return tree_map(lambda y: as_array(eager.plain(y), f"{name}: its result"), out)
