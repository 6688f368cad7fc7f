"""The lines that lowering knows: for each of the engine's operations, the nodes that compute it."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.stage import Line
from chainrule.core.type import Shape, promote, typeof

from .building import Builder, Handler
from .gates import TABLE
from .moves import sliced
from .nodes import Ref

KINDS = frozenset("biuf")


# ---------------------------------------------------------------------------------------- element by element
def elementwise(builder: Builder, line: Line, *args: Ref | None, **params: Any) -> Ref | None:
    """A row of the table, applied to scalars. Left to NumPy are gates of whole numbers, which may wrap around half-way, and
    rounding to decimals."""
    row, target = TABLE[line.prim.name], line.targets[0].type
    whole = any(t.dtype.kind in "iu" and not t.weak for t in (typeof(a) for a in line.args if a is not None))
    if params.get("decimals") or (whole and line.prim.body is not None and target.dtype.kind == "f"):
        return None
    present = [a for a in args if a is not None]
    meet = promote(*(typeof(a) for a in line.args if a is not None)) if row.meet == "promoted" else target.dtype

    def run(context: Any, *scalars: Any) -> Any:
        given = iter(scalars)
        found = [None if a is None else next(given) for a in args]
        if row.meet != "apart":
            found = [None if s is None else s.cast(meet) for s in found]
        return row.formula(*found, **params)
    return builder.map(run, target.shape, target.dtype, *present, costly=row.costly)


def where(builder: Builder, line: Line, condition: Ref, a: Ref, b: Ref) -> Ref:
    dtype = line.targets[0].type.dtype
    return builder.map(lambda context, c, x, y: c.truth().chosen(x.cast(dtype), y.cast(dtype)), line.targets[0].type.shape, dtype,
                       condition, a, b)


# ---------------------------------------------------------------------------------------- movements
def reshape(builder: Builder, line: Line, x: Ref, shape: Shape) -> Ref:
    return builder.reshape(x, shape)


def permute(builder: Builder, line: Line, x: Ref, axes: Shape) -> Ref:
    return builder.permute(x, axes)


def broadcast(builder: Builder, line: Line, x: Ref, shape: Shape) -> Ref:
    return builder.broadcast(x, shape)


def part(builder: Builder, line: Line, x: Ref, key: Any) -> Ref:
    move = sliced(x.shape, key)
    return builder.move(x, move, move.new)


MOVEMENTS: dict[str, Handler] = {"reshape": reshape, "permute_dims": permute, "broadcast_to": broadcast, "part": part}


def supported(dtype: np.dtype[Any]) -> bool:
    """Whether kernels compute with this dtype."""
    return dtype.kind in KINDS and not (dtype.kind == "f" and dtype.itemsize not in (4, 8))
