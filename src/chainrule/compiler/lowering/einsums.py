"""An einsum of one array is a view and a fold; one of many is a chain of products of two."""
from __future__ import annotations

from typing import Any

from chainrule.core.stage import Line, Symbol
from chainrule.core.type import Type
from chainrule.ops.einsum import contraction_order

from .building import Builder
from .moves import Diagonal
from .nodes import Ref
from .products import product
from .reductions import cast


def einsum(builder: Builder, line: Line, *operands: Ref, subscripts: str) -> Ref | None:
    """Products of arrays, summed over the letters that the result lacks; None where NumPy has to do it."""
    if len(operands) == 1:
        left, _, out = subscripts.partition("->")
        return cast(builder, single(builder, operands[0], left, out), line.targets[0].type.dtype)
    if len(operands) == 2:
        return product(builder, line, *operands)
    if any(isinstance(a, float | int) for a in line.args):
        return None
    return chained(builder, line, list(operands), subscripts)


def single(builder: Builder, x: Ref, left: str, out: str) -> Ref:
    """One array: letters that occur twice are diagonals, those that the result lacks are summed."""
    letters = list(dict.fromkeys((*out, *left)))
    sizes = dict(zip(left, x.shape))
    shape = tuple(sizes[c] for c in letters)
    x = builder.move(x, Diagonal(tuple(map(letters.index, left))), shape)
    axes = tuple(range(len(out), len(letters)))
    return builder.reduce(x, axes, keepdims=False) if axes else x


def chained(builder: Builder, line: Line, operands: list[Ref], subscripts: str) -> Ref | None:
    """Two arrays at a time, in the order in which the operation itself would take them."""
    left, _, out = subscripts.partition("->")
    waiting = list(zip(operands, left.split(",")))
    for chosen in contraction_order(subscripts, tuple(x.shape for x in operands)):
        (y, term), *others = [waiting.pop(i) for i in sorted(chosen, reverse=True)][::-1]
        for n, (x, other) in enumerate(others, 1):
            needed = {*out}.union(*(t for _, t in waiting), *(t for _, t in others[n:]))
            last = not waiting and n == len(others)
            made = out if last else "".join(c for c in dict.fromkeys(term + other) if c in needed)
            found = pair(builder, line, (y, x), f"{term},{other}->{made}")
            if found is None:
                return None
            y, term = found, made
        waiting.append((y, term))
    return waiting[0][0]


def pair(builder: Builder, line: Line, operands: tuple[Ref, Ref], subscripts: str) -> Ref | None:
    """A product of two arrays as a line of its own."""
    def symbol(x: Any, name: str) -> Symbol:
        return Symbol(line.targets[0].owner, Type(x.shape, x.dtype), name)
    args = tuple(symbol(x, f"operand{i}") for i, x in enumerate(operands))
    shape = line.prim.result(*(a.type for a in args), subscripts=subscripts)
    target = Symbol(line.targets[0].owner, shape, "pair")
    return product(builder, Line((target,), line.prim, args, {"subscripts": subscripts}, line.source), *operands)
