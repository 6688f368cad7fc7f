"""A Jacobian holds every derivative of every result in every argument; a Hessian, those of a gradient."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from chainrule.core.tree import flatten, tree_map, unflatten
from chainrule.core.type import Array, Type, is_float, typeof
from chainrule.errors import ArgumentError, DTypeError
from chainrule.ops.broadcasting import reshape

from .transforms import as_arguments, chosen, given_back, grad, in_arguments, jvp, named, pull, vmap

Function = Callable[..., Any]


def jacobian(f: Function, argnums: int | Sequence[int] = 0, *, mode: Literal["forward", "reverse"] | None = None) -> Function:
    """The function that returns all derivatives of `f`'s result in the arguments `argnums`.

    Each array of the result is replaced by the tree of the argument (a tuple of trees for several), whose arrays have the
    shape (*result, *argument). Without a `mode`, `f` is swept backwards if it has at most as many results as arguments, else
    it is evaluated again in forward mode; either way all rows or columns are found at once, by vmap.

    Raises DTypeError for arguments or results that are not real numbers.

    >>> import chainrule as cr, numpy as np
    >>> cr.jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    if mode not in (None, "forward", "reverse"):
        raise ArgumentError(f"jacobian: mode is 'forward', 'reverse' or None, not {mode!r}.")

    def of(*args: Any, **options: Any) -> Any:
        numbers = chosen("jacobian", argnums, args)
        inner = in_arguments(f, numbers, args, options)
        primals = tuple(args[i] for i in numbers)
        if mode == "forward":
            found = by_columns(inner, primals)
        else:
            value, pullback, _ = pull(inner, "jacobian", *primals, numbers=numbers)
            rows, columns = (sum(typeof(x).size for x in flatten(tree)[0]) for tree in (value, primals))
            forward = mode is None and rows > columns
            found = by_columns(inner, primals) if forward else by_rows(value, pullback)

        def shown(row: Row) -> Any:
            trees = tree_map(given_back, row.trees, primals)
            return trees[0] if isinstance(argnums, int) else trees
        return tree_map(shown, found)
    return named(of, f, "jacobian")


class Row:
    """The derivatives of one array of the result: a tree for each argument. It is no tree itself, so it can be a leaf."""

    def __init__(self, trees: tuple[Any, ...]) -> None:
        self.trees = trees


def basis(types: Sequence[Type]) -> list[np.ndarray[Any, Any]]:
    """The unit vectors of the space of all these arrays together: arrays with the number of the vector in front."""
    total = sum(t.size for t in types)
    starts = np.cumsum([0, *(t.size for t in types)])
    return [np.eye(total, t.size, k=-int(start), dtype=t.dtype).reshape(total, *t.shape) for t, start in zip(types, starts)]


def real(types: Sequence[Type]) -> Sequence[Type]:
    """The types of a function's results, which must be real numbers."""
    for t in types:
        if not is_float(t.dtype):
            raise DTypeError(f"jacobian: the function returned {t}; integers and booleans have no derivative. Return "
                             "real numbers only.")
    return types


def by_rows(value: Any, pullback: Callable[[Any], tuple[Any, ...]]) -> Any:
    """One backward sweep for all elements of the result."""
    leaves, structure = flatten(value)
    types = real([typeof(y) for y in leaves])
    stacked = vmap(pullback)(unflatten(structure, basis(types)))

    def row(i: int) -> Row:
        start = sum(t.size for t in types[:i])

        def part(d: Array) -> Array:
            return reshape(d[start:start + types[i].size], (*types[i].shape, *typeof(d).shape[1:]))
        return Row(tree_map(part, stacked))
    return unflatten(structure, [row(i) for i in range(len(types))])


def by_columns(f: Function, primals: tuple[Any, ...]) -> Any:
    """One forward pass for all elements of the arguments."""
    leaves, structure = flatten(primals)
    types = [typeof(x) for x in leaves]

    def moved(tangents: tuple[Any, ...]) -> Any:
        value, tangent = jvp(f, primals, tangents)
        real([typeof(y) for y in flatten(value)[0]])
        return tangent

    stacked = vmap(moved, out_axes=-1)(unflatten(structure, basis(types)))
    ends = np.cumsum([0, *(t.size for t in types)])

    def row(d: Array) -> Row:
        shape = typeof(d).shape[:-1]
        return Row(unflatten(structure, [reshape(d[..., int(a):int(b)], (*shape, *t.shape))
                                         for t, a, b in zip(types, ends, ends[1:])]))
    return tree_map(row, stacked)


def hessian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function that returns all second derivatives of `f`, which returns one number: forward mode over reverse mode.

    The result is the gradient's tree with, for each array, again the tree of the argument: arrays of shape
    (*argument, *argument).

    >>> import chainrule as cr, numpy as np
    >>> cr.hessian(lambda x: x[0] * x[0] * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return named(jacobian(grad(f, argnums), argnums, mode="forward"), f, "hessian")


def hvp(f: Function, primals: Any, tangents: Any) -> Any:
    """The Hessian of `f`, which returns one number, times `tangents`, without making the Hessian.

    `primals` and `tangents` are tuples with an entry for each argument, or the one argument alone; the result is like them.
    Forward mode over reverse mode (B. Pearlmutter, "Fast exact multiplication by the Hessian", 1994).

    >>> import chainrule as cr, numpy as np
    >>> cr.hvp(lambda x: (x * x * x).sum(), np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    array([6., 0.])
    """
    arguments = as_arguments(primals)
    moved = jvp(grad(f, tuple(range(len(arguments)))), arguments, as_arguments(tangents))[1]
    return moved if arguments is primals else moved[0]
