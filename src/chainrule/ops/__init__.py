"""The vocabulary: every operation, each one declaration."""
from __future__ import annotations

from chainrule.core.primitive import Primitive

from .arithmetic import add, divide, multiply, negative, subtract
from .broadcasting import astype, broadcast_to, cast, chain, integer_cast, reshape, stop_gradient, sum
from .comparison import (
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    isclose,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
    signbit,
)
from .contraction import matmul
from .elementary import cos, exp, log, sin
from .movement import permute_dims, stack
from .rounding import ceil, floor, round, trunc

ALL: tuple[Primitive, ...] = (
    add, subtract, multiply, divide, negative,
    exp, log, sin, cos,
    floor, ceil, round, trunc,
    equal, not_equal, less, less_equal, greater, greater_equal, isclose,
    isfinite, isinf, isnan, signbit,
    logical_and, logical_or, logical_xor, logical_not,
    bitwise_and, bitwise_or, bitwise_xor, bitwise_invert, bitwise_left_shift, bitwise_right_shift,
    sum,
    matmul,
    reshape, broadcast_to, permute_dims, stack,
    cast, integer_cast, stop_gradient, chain,
)
