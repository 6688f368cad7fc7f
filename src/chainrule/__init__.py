"""chainrule: backpropagation, opened."""
from .ops.broadcasting import astype, broadcast_to, chain, reshape, stop_gradient, sum
from .ops.comparison import (
    allclose,
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
from .ops.contraction import matmul
from .ops.elementary import cos, exp, log, sin
from .ops.rounding import ceil, floor, round, trunc
from .tensor import Tensor, no_grad, tensor
from .transforms import grad, jvp, value_and_grad, vjp, vmap
