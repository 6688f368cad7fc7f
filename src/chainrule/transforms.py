"""A transform turns a function into another one: its gradient, its directional derivative, itself on a batch."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np

from chainrule.core.batch import Batch, Stacked
from chainrule.core.forward import Dual, Forward
from chainrule.core.interpreter import Box, Interpreter, entered, now
from chainrule.core.reverse import Recorded, Reverse
from chainrule.core.tree import LEAF, Structure, entries, flatten, leaves_like, paths, tree_map, unflatten
from chainrule.core.type import Array, Type, is_float, normal_axis, typeof
from chainrule.errors import ArgumentError, DTypeError, NonScalarError, ShapeError
from chainrule.ops import broadcasting
from chainrule.ops.broadcasting import broadcast_to
from chainrule.ops.movement import moveaxis

from . import eager

Function = Callable[..., Any]


# ---------------------------------------------------------------------------------------- arguments and results
def differentiable(name: str, tree: Any, numbers: Sequence[int] | None = None) -> tuple[list[Array], Structure]:
    """The leaves of the arguments as arrays or boxes, after checking that each is made of real numbers."""
    leaves, structure = flatten(tree)
    arrays = []
    for x, path in zip(leaves, paths(tree)):
        i, _, inside = path.partition(".")
        where = f"argument {numbers[int(i)] if numbers else i}" + (f" at {inside!r}" if inside else "")
        arrays.append(x := as_array(x, f"{name}: {where}"))
        if not is_float(typeof(x).dtype):
            raise DTypeError(f"{name}: {where} is {typeof(x)}, and a derivative needs real numbers. Write 2.0 instead of 2, "
                             "convert with .astype('float32'), or leave it out with argnums.")
    return arrays, structure


def as_array(x: Any, where: str) -> Array:
    """A leaf as operations take it: Python numbers become arrays."""
    array = x if isinstance(x, Box) else np.asarray(x)
    if array.dtype.kind in "OUSV":
        raise DTypeError(f"{where} is a {type(x).__name__}, not an array or a number. Give arrays, or dicts, lists, tuples and "
                         "dataclasses of them; other things go in by name, or through a closure.")
    return array


def alongside(name: str, what: str, given: Any, structure: Structure, types: Sequence[Type]) -> list[Array]:
    """Gradients or tangents that were given for values of these types, checked, in their dtypes."""
    arrays = []
    for t, x in zip(types, leaves_like(structure, given, name)):
        x = x if isinstance(x, Box) else np.asarray(x, t.dtype if is_float(t.dtype) else None)
        if typeof(x).shape != t.shape:
            raise ShapeError(f"{name}: a {what} of shape {typeof(x).shape} was given for a value of type {t}. Give "
                             "the same shape.")
        arrays.append(x if typeof(x).dtype == t.dtype or not is_float(t.dtype) else broadcasting.astype(x, t.dtype))
    return arrays


def lowered(interpreter: Interpreter, tree: Any) -> Any:
    """A tree of results as the parent of `interpreter` sees them."""
    return tree_map(lambda x: x.value if interpreter.owns(x) else x, tree)


def given_back(g: Array, x: Array) -> Array:
    """A gradient in the form its value came in: a tensor for a tensor."""
    return eager.constant(g) if type(x) is eager.Tensor and not isinstance(g, Box) else g


def zeros(x: Array) -> Array:
    """The gradient of a value without influence."""
    return np.zeros(*typeof(x)[:2])


def named(transformed: Function, f: Function, transform: str) -> Function:
    """The name and the first words of a transformed function."""
    update_wrapper(transformed, f, updated=())
    transformed.__name__ = transformed.__qualname__ = f"{transform}({getattr(f, '__name__', repr(f))})"
    transformed.__doc__ = f"{transform} of {getattr(f, '__name__', repr(f))}. {getattr(f, '__doc__', None) or ''}".strip()
    return transformed


# ---------------------------------------------------------------------------------------- reverse mode
def pull(f: Function, name: str, *primals: Any,
         numbers: Sequence[int] | None = None) -> tuple[Any, Callable[[Any], tuple[Any, ...]], Reverse]:
    """`f(*primals)`, and the function that carries a gradient of it back to one of each primal."""
    leaves, structure = differentiable(name, primals, numbers)
    with entered(Reverse()) as tape:
        assert isinstance(tape, Reverse)
        inputs = [Recorded(tape, x) for x in leaves]
        out = f(*unflatten(structure, inputs))
    outputs, shape = flatten(out)
    value = lowered(tape, out)
    types = [typeof(y) for y in outputs]

    def pullback(g: Any) -> tuple[Any, ...]:
        seeds = alongside(name, "gradient", g, shape, types)
        tracked = [(y, seed) for y, seed in zip(outputs, seeds) if tape.owns(y)]
        found: dict[Recorded, Array] = {}
        if len(tracked) == 1:
            found = tape.gradients(*tracked[0], rules_under=now())
        elif tracked:
            found = tape.gradients(tape.join(tuple(y for y, _ in tracked)), tuple(g for _, g in tracked), rules_under=now())
        gradients = [given_back(found[box] if box in found else zeros(x), x) for box, x in zip(inputs, leaves)]
        return unflatten(structure, gradients)  # type: ignore[no-any-return]

    return value, pullback, tape


def vjp(f: Function, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`f(*primals)` and its vector-Jacobian product: the function that takes a gradient of the result to one of each primal.

    The function may be called any number of times, also inside other transforms.

    >>> import chainrule as cr, numpy as np
    >>> y, pullback = cr.vjp(lambda x: cr.sin(x), np.array([0.0, 1.0]))
    >>> pullback(np.array([1.0, 0.0]))
    (array([1., 0.]),)
    """
    out, pullback, _ = pull(f, "vjp", *primals)
    return out, pullback


def chosen(name: str, argnums: int | Sequence[int], args: tuple[Any, ...]) -> tuple[int, ...]:
    """The numbers of the arguments to differentiate in, counted from the front."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if not all(-len(args) <= i < len(args) for i in numbers):
        raise ArgumentError(f"{name}: argnums={argnums}, but {len(args)} positional arguments were given. Arguments given by "
                            "name are constants; give by position those to differentiate in.")
    return tuple(i % len(args) for i in numbers)


def in_arguments(f: Function, numbers: tuple[int, ...], args: tuple[Any, ...], options: dict[str, Any]) -> Function:
    """`f` as a function of the arguments `numbers` alone."""
    def of(*given: Any) -> Any:
        replaced = dict(zip(numbers, given))
        return f(*(replaced.get(i, a) for i, a in enumerate(args)), **options)
    return of


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0, *, has_aux: bool = False) -> Function:
    """The function that returns `f`'s value and its gradient in the arguments `argnums`.

    `f` returns one number (with `has_aux`: a pair of one number and anything else). An argument may be a tree of arrays; its
    gradient is the same tree. Raises NonScalarError, DTypeError.

    >>> import chainrule as cr
    >>> cr.value_and_grad(lambda w: (3.0 * w - 5.0) ** 2)(2.0)
    (np.float64(1.0), np.float64(6.0))
    """
    def of(*args: Any, **options: Any) -> Any:
        numbers = chosen("grad", argnums, args)
        loss = in_arguments(f, numbers, args, options)
        aux: list[Any] = []

        def one_number(*given: Any) -> Any:
            out = loss(*given)
            if has_aux:
                out, extra = with_aux(out)
                aux.append(extra)
            return scalar(out)

        value, pullback, tape = pull(one_number, "grad", *(args[i] for i in numbers), numbers=numbers)
        gradients = pullback(np.ones((), typeof(value).dtype))
        gradient = gradients[0] if isinstance(argnums, int) else gradients
        return ((value, lowered(tape, aux[0])), gradient) if has_aux else (value, gradient)
    return named(of, f, "value_and_grad")


def with_aux(out: Any) -> tuple[Any, Any]:
    """The pair that a function with `has_aux` returns."""
    if not (isinstance(out, tuple) and len(out) == 2):
        raise ArgumentError(f"grad: with has_aux the function returns (loss, anything else), not {flatten(out)[1]}.")
    return out


def scalar(out: Any) -> Any:
    """The one number a gradient is taken of, or an error."""
    if entries(out)[0] is not LEAF:
        raise NonScalarError(f"grad: the function returned {flatten(out)[1]}, and a gradient belongs to one number. Return the "
                             "loss alone, or use has_aux=True.")
    if typeof(out).shape != ():
        raise NonScalarError(f"grad: the function returned {typeof(out)}, and a gradient belongs to one number. Reduce it with "
                             ".sum() or .mean(), or use cr.jacobian or cr.vjp.")
    if not is_float(typeof(out).dtype):
        raise DTypeError(f"grad: the function returned {typeof(out)}; integers and booleans have no gradient. Compute the loss "
                         "in real numbers.")
    return out


def grad(f: Function, argnums: int | Sequence[int] = 0, *, has_aux: bool = False) -> Function:
    """The function that returns the gradient of `f`, which returns one number, in the arguments `argnums`.

    With `has_aux`, `f` returns a pair, and the result is (gradient, the other half). Raises NonScalarError, DTypeError.

    >>> import chainrule as cr
    >>> cr.grad(lambda x: x ** 3)(2.0)
    np.float64(12.0)
    """
    both = value_and_grad(f, argnums, has_aux=has_aux)

    def of(*args: Any, **options: Any) -> Any:
        value, gradient = both(*args, **options)
        return (gradient, value[1]) if has_aux else gradient
    return named(of, f, "grad")


# ---------------------------------------------------------------------------------------- forward mode
def jvp(f: Function, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """`f(*primals)`, and how it moves when the primals move along `tangents`: the Jacobian-vector product.

    Both are tuples with an entry for each argument; a function of one argument may be given it alone.

    >>> import chainrule as cr
    >>> cr.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (np.float64(6.0), np.float64(3.0))
    """
    primals, tangents = as_arguments(primals), as_arguments(tangents)
    values, structure = differentiable("jvp", primals)
    directions = alongside("jvp", "tangent", tangents, structure, [typeof(x) for x in values])
    with entered(Forward()) as forward:
        out = f(*unflatten(structure, [Dual(forward, x, t) for x, t in zip(values, directions)]))

    def motion(y: Array) -> Array:
        return given_back(y.tangent, y.value) if forward.owns(y) else given_back(zeros(y), y)
    return lowered(forward, out), tree_map(motion, out)


def as_arguments(given: Any) -> tuple[Any, ...]:
    """The arguments as a tuple; one that stands alone is wrapped (a named tuple is one argument)."""
    return given if type(given) is tuple else (given,)


# ---------------------------------------------------------------------------------------- batches
def vmap(f: Function, in_axes: Any = 0, out_axes: int = 0) -> Function:
    """`f`, written for one example, on a batch: the examples lie along axis `in_axes` of each argument (None: shared by all).

    `in_axes` is one number for all arguments, or a tuple with an entry for each; an argument may be a tree. Arguments given by
    name are shared, and so are random numbers drawn inside. The results are stacked along `out_axes`. Raises ShapeError where
    the batch sizes differ.

    >>> import chainrule as cr, numpy as np
    >>> cr.vmap(lambda x, w: (x * w).sum(), in_axes=(0, None))(np.ones((3, 2)), np.array([1.0, 2.0]))
    array([3., 3., 3.])
    """
    def of(*args: Any, **options: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ArgumentError(f"vmap: in_axes={in_axes} has {len(axes)} entries for {len(args)} arguments.")
        size = batch_size(args, axes)
        with entered(Batch(size)) as batch:
            out = f(*(arg if a is None else tree_map(lambda x, a=a: Stacked(batch, moveaxis(x, a, 0)), arg)
                      for arg, a in zip(args, axes)), **options)

        def whole(y: Array) -> Array:
            stacked = y.value if batch.owns(y) else broadcast_to(as_array(y, "vmap: a result"), (size, *typeof(y).shape))
            return moveaxis(stacked, 0, out_axes)
        return tree_map(whole, out)
    return named(of, f, "vmap")


def batch_size(args: tuple[Any, ...], axes: tuple[int | None, ...]) -> int:
    """The number of examples, on which all arrays must agree."""
    sizes = {}
    for arg, axis, i in zip(args, axes, range(len(args))):
        if axis is not None:
            for x, path in zip(flatten(arg)[0], paths(arg)):
                where = f"argument {i}" + (f" at {path!r}" if path else "")
                as_array(x, f"vmap: {where}")
                if not typeof(x).shape:
                    raise ShapeError(f"vmap: {where} is a single number, {typeof(x)}, and has no axis of examples. Share it "
                                     "with all of them by a None in in_axes.")
                sizes[where] = typeof(x).shape[normal_axis("vmap", axis, typeof(x).ndim)]
    if len(set(sizes.values())) > 1:
        raise ShapeError(f"vmap: the batch sizes differ: {', '.join(f'{k} has {n}' for k, n in sizes.items())}. Every array "
                         "needs the same number of examples along its axis in in_axes; give None for those shared by all.")
    if not sizes:
        raise ArgumentError("vmap: no argument has an axis of examples, so the size of the batch is not known. Give at least one "
                            "array by position, with an axis in in_axes.")
    return next(iter(sizes.values()))


def stop_gradient(tree: Any) -> Any:
    """The same values, treated as constant: no gradient flows back through them.

    >>> import chainrule as cr
    >>> cr.grad(lambda x: x * cr.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree_map(broadcasting.stop_gradient, tree)
