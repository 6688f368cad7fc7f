"""A loop runs the same body many times, and carries values from each step to the next: `scan`, as an operation."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.core.batch import Batch, Stacked
from chainrule.core.forward import Dual, Forward
from chainrule.core.interpreter import NUMPY, Interpreter, under
from chainrule.core.primitive import Primitive, Together
from chainrule.core.stage import Stage, Symbol
from chainrule.core.type import Array, Type, is_float, typeof

from . import loop_gradient
from .broadcasting import broadcast_to
from .loop_body import Body, Loop, settled
from .movement import moveaxis


def steps(length: int, reverse: bool) -> range:
    """The numbers of the rows in the order in which they are visited."""
    return range(length - 1, -1, -1) if reverse else range(length)


def forward(*args: Array, body: Body, length: int, carries: int, scanned: int, reverse: bool) -> tuple[Array, ...]:
    """The carries after the last step, and the rows of all steps."""
    carry, rows, captured = args[:carries], args[carries:carries + scanned], args[carries + scanned:]
    kept = [np.empty((length, *t.shape), t.dtype) for t in map(typeof, body.output[carries:])]
    with under(NUMPY):
        for t in steps(length, reverse):
            out = body(*carry, *(np.asarray(x)[t] for x in rows), *captured)
            carry = tuple(python_number(c) if s.type.weak else c for c, s in zip(out, body.inputs[:carries]))
            for all_rows, row in zip(kept, out[carries:]):
                all_rows[t] = row
    return (*(c if s.type.weak else np.asarray(c, s.dtype) for c, s in zip(carry, body.inputs)), *kept)


def python_number(x: Array) -> Any:
    """A carry that began as a Python number stays one, so that it takes the dtype of what it meets."""
    return x.item() if isinstance(x, np.ndarray | np.generic) else x


def result(*types: Type, body: Body, length: int, carries: int, scanned: int, reverse: bool) -> list[Type]:
    """The types of the last carries, and of the rows of all steps."""
    rows = [Type((length, *typeof(y).shape), typeof(y).dtype) for y in body.output[carries:]]
    return [s.type for s in body.inputs[:carries]] + rows


def run(loop: Loop) -> tuple[Array, ...]:
    """What the loop computes, under the interpreter in charge: its last carries, and its rows."""
    loop = settled(loop)
    out: tuple[Array, ...] = scan(*loop.args, **loop.params)
    return out[:len(loop.body.output)]  # an interpreter may have asked for more rows than we did


def find(g: Any, y: Any, args: tuple[Array, ...], params: dict[str, Any]) -> list[Array]:
    """The gradients of all arguments: a loop back through the steps, fed with what the steps computed."""
    loop = Loop(args=args, **params)
    back = loop_gradient.backward(loop, g, y)
    if back is None:  # some values that the way back reads were not kept: run the loop again, and keep them
        loop = loop._replace(body=loop_gradient.keeping(params)["body"])
        back = loop_gradient.backward(loop, g, scan(*args, **loop.params))
    assert back is not None
    return back.finish(run(back.loop))


def restaged(body: Body, types: Sequence[Type], interpreter: Callable[[], Interpreter],
             boxed: Callable[[Any, list[Symbol]], list[Array]]) -> tuple[list[Symbol], Stage, Any, list[Array]]:
    """The body staged anew under an interpreter: its inputs, of these types, are put into boxes by `boxed`."""
    staging = Stage()
    with under(staging):
        inputs = [staging.input(t) for t in types]
        with under(interpreter()) as above:
            return inputs, staging, above, body(*boxed(above, inputs))


def tangent(tangents: Sequence[Array], y: Any, *args: Array, **params: Any) -> tuple[Array, ...]:
    """How the results move: a loop that computes values and tangents side by side."""
    loop = Loop(args=args, **params)
    body, n, m = loop.body, loop.carries, loop.carries + loop.scanned
    moving = [i for i, (t, s) in enumerate(zip(tangents, body.inputs)) if is_float(s.dtype) and (t is not None or i < n)]
    count = len(body.inputs)

    def dual(forward: Forward, inputs: list[Symbol]) -> list[Array]:
        moves = dict(zip(moving, inputs[count:]))
        return [Dual(forward, s, moves[i]) if i in moves else s for i, s in enumerate(inputs[:count])]

    types = [s.type for s in body.inputs]
    inputs, staging, above, out = restaged(body, [*types, *(types[i] for i in moving)], Forward, dual)
    values = [o.value if above.owns(o) else o for o in out]
    moved = [o.tangent if above.owns(o) else None for o in out]
    zeros = {i: np.zeros(*s.type[:2]) for i, s in enumerate(body.inputs) if i < n}
    outputs = [*values[:n], *(zeros[i] if moved[i] is None else moved[i] for i in moving if i < n),
               *(d for d in moved[n:] if d is not None)]

    def arranged(whole: Sequence[Array], moves: Sequence[Array]) -> list[Array]:
        pairs = list(zip(moving, moves))
        return [*whole[:n], *(d for i, d in pairs if i < n), *whole[n:m], *(d for i, d in pairs if n <= i < m),
                *whole[m:], *(d for i, d in pairs if i >= m)]

    given = [zeros[i] if tangents[i] is None else tangents[i] for i in moving]
    made = iter(run(Loop(
        Body(arranged(inputs[:count], inputs[count:]), staging.graph.lines, tuple(outputs)),
        tuple(arranged(args, given)), loop.length, n + sum(i < n for i in moving),
        m - n + sum(n <= i < m for i in moving), loop.reverse))[n:])
    flows = [i in moving for i in range(n)] + [d is not None for d in moved[n:]]
    return tuple(next(made) if flow else np.zeros(*t[:2]) for flow, t in zip(flows, result(**loop.params)))


def batch(flags: list[bool], *args: Array, **params: Any) -> tuple[Array, ...]:
    """One loop for all examples: a carry that any step makes different for each example is so from the beginning."""
    loop = Loop(args=args, **params)
    body, n = loop.body, loop.carries
    size = next(typeof(a).shape[0] for a, many in zip(args, flags) if many)
    flags = list(flags)
    while True:
        types = [Type((size, *s.type.shape), s.dtype) if many else s.type for s, many in zip(body.inputs, flags)]
        inputs, staging, above, out = restaged(
            body, types, lambda: Batch(size),
            lambda above, inputs: [Stacked(above, s) if many else s for s, many in zip(inputs, flags)])
        grown = [many or above.owns(o) for many, o in zip(flags[:n], out)]
        if grown == flags[:n]:
            break
        flags[:n] = grown
    many_out = [*flags[:n], *(above.owns(o) for o in out[n:])]
    with under(staging):
        whole = [o.value if above.owns(o) else broadcast_to(o, shape=(size, *typeof(o).shape)) if many else o
                 for o, many in zip(out, many_out)]
    made = run(loop._replace(body=Body(inputs, staging.graph.lines, tuple(whole)),
                             args=tuple(spread(a, i, flags, size, loop) for i, a in enumerate(args))))
    return tuple(moveaxis(y, 1, 0) if many and i >= n else y if many else broadcast_to(y, shape=(size, *typeof(y).shape))
                 for i, (y, many) in enumerate(zip(made, many_out)))


def spread(a: Array, i: int, flags: list[bool], size: int, loop: Loop) -> Array:
    """Argument i as the loop over a batch takes it: steps in front of examples; a carry, one for each example."""
    shape, inner = typeof(a).shape, loop.body.inputs[i].type.shape
    if i < loop.carries and flags[i] and len(shape) == len(inner):
        return broadcast_to(a, shape=(size, *shape))
    return moveaxis(a, 0, 1) if flags[i] and loop.carries <= i < loop.carries + loop.scanned else a


scan = Primitive(
    "scan", forward=forward, backward=Together(find, None), tangent=tangent, batch=batch, result=result, samples=lambda rng: [],
    keeping=loop_gradient.keeping, doc="A body run once for each row of its arrays, carrying values from step to step.")
