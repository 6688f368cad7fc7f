"""A scan is a loop over time: a function is called for each row of some arrays, and carries values from call to call."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.interpreter import Interpreter, now
from chainrule.core.stage import Stage
from chainrule.core.tree import flatten, paths, tree_map, unflatten
from chainrule.core.type import typeof
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.loop_calls import Function, StagedBody, unrolled

from .transforms import as_array


def scan(f: Function, init: Any, xs: Any, *, length: int | None = None, reverse: bool = False) -> tuple[Any, Any]:
    """Call `f(carry, x) -> (carry, y)` for each row of `xs`, first to last; returns the last carry, and all `y` stacked.

    `init` is what the first call gets as its carry; each call gets the carry of the one before, in the same containers, shapes
    and dtypes. `xs` is an array with the time axis in front, (T, ...), or a tree of them; a call gets one row of each. The rows
    `y` are stacked in front again, (T, ...), in the order of `xs`. With `xs=None`, `length` says how many calls to make. With
    `reverse` the last row comes first. `f` may use values from around it, such as the parameters of a layer, and gradients
    flow to them.

    Computed at once, this is a loop of Python. Where the computation is staged or compiled, `f` is called once, and what it did
    becomes the body of a real loop, as does its gradient: the time it takes to compile does not depend on the number of steps.

    Raises ArgumentError where the carry changes its containers, or no length is known; ShapeError where it changes its shape or
    dtype, or the lengths of `xs` differ; StagingError where `f` draws random numbers while it is staged.

    The interface is that of `jax.lax.scan`.

    >>> import chainrule as cr, numpy as np
    >>> cr.scan(lambda total, x: (total + x, total), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 1., 3.]))
    >>> cr.grad(lambda w: cr.scan(lambda h, x: (w * h + x, None), 0.0, np.array([1.0, 1.0, 1.0]))[0])(2.0)
    np.float64(5.0)
    """
    count = steps_of(xs, length)
    carry = tree_map(lambda x: x if type(x) in (bool, int, float) else as_array(x, "scan: init"), init)
    if count and not is_staged(now()):
        return unrolled(f, carry, xs, count, reverse)
    body = StagedBody(f, carry, xs)
    if count == 0:
        return carry, unflatten(body.rows, [np.zeros((0, *t.shape), t.dtype) for t in map(typeof, body.outputs)])
    return body.run(count, reverse)


def is_staged(interpreter: Interpreter) -> bool:
    """Whether a computation under this interpreter is written down, not computed."""
    return isinstance(interpreter, Stage) or (interpreter.parent is not interpreter and is_staged(interpreter.parent))


def steps_of(xs: Any, length: int | None) -> int:
    """The number of calls, on which all arrays must agree."""
    sizes = {} if length is None else {"length": length}
    for x, path in zip(flatten(xs)[0], paths(xs)):
        where = f"xs at {path!r}" if path else "xs"
        shape = typeof(as_array(x, f"scan: {where}")).shape
        if not shape:
            raise ShapeError(f"scan: {where} is a single number, {typeof(x)}, and has no axis of time. Let f capture it.")
        sizes[where] = shape[0]
    if not sizes:
        raise ArgumentError("scan: xs holds no array, so the number of calls is not known. Give length.")
    if len(set(sizes.values())) > 1:
        raise ShapeError(f"scan: the lengths differ: {', '.join(f'{k} has {n}' for k, n in sizes.items())}. Every array needs as "
                         "many rows as there are calls.")
    count = next(iter(sizes.values()))
    if count < 0:
        raise ArgumentError(f"scan: length is the number of calls, from 0 up, not {count}.")
    return count
