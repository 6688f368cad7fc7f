"""The cost of a line is about how many operations on numbers it takes."""
from __future__ import annotations

from math import prod

from chainrule.core.stage import Line
from chainrule.core.type import typeof

from .bodies import has_body
from .broadcasts import ELEMENTWISE
from .lifetimes import STREAMING, VIEWS

ELEMENTS = frozenset(ELEMENTWISE)
CURVES = frozenset({
    "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh",
    "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "pow", "gelu", "gelu_slope", "sigmoid", "silu", "softplus", "logaddexp",
})
CURVE = 10
OTHER = 30
"""Operations for each number that goes in or out, of an operation of which nothing is known."""


def cost(line: Line) -> int:
    """About how many operations on numbers the line takes."""
    sizes = [typeof(a).size for a in line.args if a is not None]
    out = sum(t.type.size for t in line.targets)
    name = line.prim.name
    if line.prim in VIEWS:
        return 0
    if has_body(line):
        return int(line.params["length"]) * sum(map(cost, line.params["body"].lines))
    if name in TERMS:
        return 2 * out * TERMS[name](line)
    if line.prim in ELEMENTS:
        return out * (CURVE if name in CURVES else 1)
    if line.prim in STREAMING or name in MOVES:
        return max(out, *sizes)
    return OTHER * (out + sum(sizes))


def einsum_terms(line: Line) -> int:
    left, _, out = line.params["subscripts"].partition("->")
    sizes = {c: n for term, a in zip(left.split(","), line.args) for c, n in zip(term, typeof(a).shape)}
    return prod(n for c, n in sizes.items() if c not in out)


def convolution_terms(line: Line) -> int:
    return prod(typeof(line.args[1]).shape[1:])


MOVES = frozenset({"embed", "concat", "stack", "cycle", "get_at", "put_part", "shifted"})
TERMS = {
    "matmul": lambda line: typeof(line.args[0]).shape[-1], "chain_matmul": lambda line: typeof(line.args[0]).shape[-1],
    "linear": lambda line: typeof(line.args[0]).shape[-1], "vecdot": lambda line: typeof(line.args[0]).shape[-1],
    "einsum": einsum_terms, "chain_einsum": einsum_terms, "convolution": convolution_terms,
    "transposed_convolution": convolution_terms, "kernel_convolution": convolution_terms,
}
"""How many products are summed for one number of the result."""
