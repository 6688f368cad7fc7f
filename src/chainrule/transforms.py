"""A transform turns a function into another one: its gradient, its directional derivative, itself on a batch."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.core.batch import Batch, Stacked
from chainrule.core.forward import Dual, Forward
from chainrule.core.interpreter import Box, Interpreter, entered
from chainrule.core.reverse import Recorded, Reverse
from chainrule.core.tree import flatten, paths, same, tree_map, unflatten
from chainrule.core.type import Array, is_float, typeof
from chainrule.errors import ArgumentError, DTypeError, NonScalarError, ShapeError
from chainrule.ops.broadcasting import broadcast_to
from chainrule.ops.movement import moveaxis

Function = Callable[..., Any]


def differentiable(name: str, tree: Any) -> tuple[list[Array], Any]:
    """The leaves of an argument as arrays or boxes, after checking that each is made of real numbers."""
    leaves, structure = flatten(tree)
    arrays = [x if isinstance(x, Box) else np.asarray(x) for x in leaves]
    for x, path in zip(arrays, paths(tree)):
        if not is_float(typeof(x).dtype):
            where = f" at {path!r}" if path else ""
            raise DTypeError(f"{name}: the argument{where} is {typeof(x)}, and a derivative needs real numbers. Write 2.0 "
                             "instead of 2, convert with .astype('float32'), or leave it out with argnums.")
    return arrays, structure


def lowered(interpreter: Interpreter, tree: Any) -> Any:
    """A tree of results as the parent of `interpreter` sees them."""
    return tree_map(lambda x: x.value if interpreter.owns(x) else x, tree)


def pull(f: Function, name: str, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]], Reverse]:
    """`f(*primals)`, and the function that carries a gradient of it back to one of each primal."""
    leaves, structure = differentiable(name, primals)
    with entered(Reverse()) as tape:
        assert isinstance(tape, Reverse)
        inputs = [Recorded(tape, x) for x in leaves]
        out = f(*unflatten(structure, inputs))
    outputs, shape = flatten(out)

    def pullback(g: Any) -> tuple[Any, ...]:
        seeds, given = flatten(g)
        if not same(shape, given):
            raise ArgumentError(f"{name}: the gradient given is {given}, but the function returned {shape}.")
        totals: list[Array] = [None] * len(inputs)
        for y, seed in zip(outputs, seeds):
            if typeof(y).shape != typeof(seed).shape:
                raise ShapeError(f"{name}: the gradient given has shape {typeof(seed).shape}, the output has {typeof(y).shape}.")
            if not tape.owns(y):
                continue
            found = tape.gradients(y, seed)
            for i, x in enumerate(inputs):
                if x in found:
                    totals[i] = found[x] if totals[i] is None else totals[i] + found[x]
        filled = [np.zeros(*typeof(x)[:2]) if total is None else total for x, total in zip(leaves, totals)]
        return unflatten(structure, [given_back(total, x) for total, x in zip(filled, leaves)])  # type: ignore[no-any-return]

    return lowered(tape, out), pullback, tape


def given_back(g: Array, x: Array) -> Array:
    """A gradient in the form its value came in: a tensor for a tensor."""
    if type(x).__name__ == "Tensor" and not isinstance(g, Box):
        from .tensor import tensor
        return tensor(g)
    return g


def vjp(f: Function, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`f(*primals)` and its vector-Jacobian product: the function that takes a gradient of the result to one of each primal.

    >>> import chainrule as cr, numpy as np
    >>> y, pullback = cr.vjp(lambda x: cr.sin(x), np.array([0.0, 1.0]))
    >>> pullback(np.array([1.0, 0.0]))
    (array([1., 0.]),)
    """
    out, pullback, _ = pull(f, "vjp", *primals)
    return out, pullback


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0, *, has_aux: bool = False) -> Function:
    """The function that returns `f`'s value and its gradient in the arguments `argnums`.

    `f` returns one number (with `has_aux`: a pair of one number and anything else). An argument may be a tree of arrays; its
    gradient is the same tree. Raises NonScalarError, DTypeError.

    >>> import chainrule as cr
    >>> cr.value_and_grad(lambda w: (3.0 * w - 5.0) ** 2)(2.0)
    (np.float64(1.0), np.float64(6.0))
    """
    def of(*args: Any, **options: Any) -> Any:
        numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        try:
            chosen = [args[i] for i in numbers]
        except IndexError:
            raise ArgumentError(f"grad: argnums={argnums}, but only {len(args)} positional arguments were given.") from None
        aux: list[Any] = []

        def closed(*given: Any) -> Any:
            replaced = list(args)
            for i, value in zip(numbers, given):
                replaced[i] = value
            out = f(*replaced, **options)
            if has_aux:
                out, extra = out
                aux.append(extra)
            return scalar(out)

        value, pullback, tape = pull(closed, "grad", *chosen)
        gradients = pullback(np.ones((), typeof(value).dtype))
        gradient = gradients[0] if isinstance(argnums, int) else gradients
        return ((value, lowered(tape, aux[0])), gradient) if has_aux else (value, gradient)
    return named(of, f, "value_and_grad")


def scalar(out: Any) -> Any:
    """The one number a gradient is taken of, or an error."""
    if flatten(out)[0] != [out] if not isinstance(out, Box | np.ndarray) else False:
        raise NonScalarError(f"grad: the function returned {flatten(out)[1]}, and a gradient belongs to one number. Return the "
                             "loss alone, or use has_aux=True.")
    if typeof(out).shape != ():
        raise NonScalarError(f"grad: the function returned {typeof(out)}, and a gradient belongs to one number. Reduce it with "
                             ".sum() or .mean(), or use cr.jacobian or cr.vjp.")
    if not is_float(typeof(out).dtype):
        raise DTypeError(f"grad: the function returned {typeof(out)}; integers and booleans have no gradient.")
    return out


def grad(f: Function, argnums: int | Sequence[int] = 0, *, has_aux: bool = False) -> Function:
    """The function that returns the gradient of `f`, which returns one number, in the arguments `argnums`.

    >>> import chainrule as cr
    >>> cr.grad(lambda x: x ** 3)(2.0)
    np.float64(12.0)
    """
    both = value_and_grad(f, argnums, has_aux=has_aux)

    def of(*args: Any, **options: Any) -> Any:
        value, gradient = both(*args, **options)
        return (gradient, value[1]) if has_aux else gradient
    return named(of, f, "grad")


def named(transformed: Function, f: Function, transform: str) -> Function:
    transformed.__name__ = f"{transform}({getattr(f, '__name__', repr(f))})"
    transformed.__doc__ = f"{transform} of {getattr(f, '__name__', repr(f))}. {f.__doc__ or ''}".strip()
    return transformed


def jvp(f: Function, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """`f(*primals)`, and how it moves when the primals move along `tangents`: the Jacobian-vector product.

    >>> import chainrule as cr
    >>> cr.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (np.float64(6.0), np.float64(3.0))
    """
    primals, tangents = (x if isinstance(x, tuple) else (x,) for x in (primals, tangents))
    values, structure = differentiable("jvp", primals)
    directions, given = flatten(tangents)
    if not same(structure, given):
        raise ArgumentError(f"jvp: primals are {structure}, tangents {given}; give one tangent for each array.")
    for x, t in zip(values, directions):
        if typeof(x).shape != typeof(t).shape:
            raise ShapeError(f"jvp: a primal of type {typeof(x)} was given a tangent of type {typeof(t)}; shapes must be equal.")
    with entered(Forward()) as forward:
        out = f(*unflatten(structure, [Dual(forward, x, t) for x, t in zip(values, directions)]))
    return lowered(forward, out), tree_map(
        lambda y: y.tangent if forward.owns(y) else np.zeros(*typeof(y)[:2]), out)


def vmap(f: Function, in_axes: Any = 0, out_axes: int = 0) -> Function:
    """`f`, written for one example, on a batch: the examples lie along axis `in_axes` of each argument (None: shared by all).

    `in_axes` is one number for all arguments, or a tuple with an entry for each. The results are stacked along `out_axes`.

    >>> import chainrule as cr, numpy as np
    >>> cr.vmap(lambda x, w: (x * w).sum(), in_axes=(0, None))(np.ones((3, 2)), np.array([1.0, 2.0]))
    array([3., 3., 3.])
    """
    def of(*args: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ArgumentError(f"vmap: in_axes={in_axes} has {len(axes)} entries for {len(args)} arguments.")
        sizes = {typeof(x).shape[a] if typeof(x).ndim else None
                 for arg, a in zip(args, axes) if a is not None for x in flatten(arg)[0]}
        if len(sizes) != 1 or None in sizes:
            raise ShapeError(f"vmap: the batch sizes differ: {sorted(map(str, sizes))}. Every array needs the same number of "
                             "examples along its axis in in_axes; give None for those shared by all.")
        size = int(sizes.pop() or 0)
        with entered(Batch(size)) as batch:
            out = f(*(arg if a is None else tree_map(lambda x, a=a: Stacked(batch, moveaxis(x, a, 0)), arg)
                      for arg, a in zip(args, axes)))

        def whole(y: Array) -> Array:
            stacked = y.value if batch.owns(y) else broadcast_to(y, (size, *typeof(y).shape))
            return moveaxis(stacked, 0, out_axes)
        return tree_map(whole, out)
    return named(of, f, "vmap")
