"""The scalar operations of kernels: what one element becomes, by name.

Arguments of an operation share one dtype, which is the result's too, except: comparisons and tests give bool; `select` takes a
bool first; `cast` takes any dtype to `dtype`. Names and meanings are NumPy's (NaN goes through `maximum`, not through `fmax`;
`remainder` and `floor_divide` follow the sign of the divisor; whole numbers wrap around).
"""
from __future__ import annotations

COMPARISONS = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})
TESTS = frozenset({"isnan", "isinf", "isfinite", "signbit"})
LOGICAL = frozenset({"logical_and", "logical_or", "logical_xor", "logical_not"})
BITWISE = frozenset({"bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_invert", "bitwise_left_shift", "bitwise_right_shift"})
PLAIN = frozenset({
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "negative", "abs", "sign", "copysign", "minimum",
    "maximum", "fmin", "fmax", "square", "sqrt", "reciprocal", "pow", "floor", "ceil", "round", "trunc", "fma",
})
CURVES = frozenset({
    "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh",
    "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "cbrt", "hypot", "sigmoid", "nextafter",
})
MOVES = frozenset({"cast", "select"})
ALL = COMPARISONS | TESTS | LOGICAL | BITWISE | PLAIN | CURVES | MOVES
