"""The vocabulary: every operation, each one declaration."""
from __future__ import annotations

from chainrule.core.primitive import Primitive

from .arithmetic import add, divide, multiply, negative, subtract
from .broadcasting import astype, broadcast_to, cast, chain, integer_cast, reshape, stop_gradient, sum
from .contraction import matmul
from .elementary import cos, exp, log, sin
from .movement import permute_dims, stack

ALL: tuple[Primitive, ...] = (
    add, subtract, multiply, divide, negative,
    exp, log, sin, cos,
    sum,
    matmul,
    reshape, broadcast_to, permute_dims, stack,
    cast, integer_cast, stop_gradient, chain,
)
