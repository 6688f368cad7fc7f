"""Sums of products: signs are taken out of them, and what concerns one factor alone is summed before."""
from __future__ import annotations

from typing import Any

from chainrule.core.stage import Line
from chainrule.core.type import Array
from chainrule.ops.arithmetic import negative
from chainrule.ops.broadcasting import astype, sum
from chainrule.ops.einsum import chain_einsum, einsum
from chainrule.ops.matmul import chain_matmul, matmul

from .patterns import Row, Rule, made


def summed_before(line: Line, known: Any) -> Array:
    """The axes that only one factor has, and the result has not, are summed before it is multiplied, in the result's dtype."""
    left, _, out = line.params["subscripts"].partition("->")
    terms, args = left.split(","), list(line.args)
    if len(terms) < 2:
        return None
    for i, term in enumerate(terms):
        others = {*out}.union(*terms[:i], *terms[i + 1:])
        lonely = tuple([axis for axis, c in enumerate(term) if c not in others and term.count(c) == 1])
        if lonely:
            args[i] = sum(astype(args[i], line.targets[0].type.dtype), axis=lonely)
            terms[i] = "".join([c for axis, c in enumerate(term) if axis not in lonely])
    if ",".join(terms) == left:
        return None
    return known.apply(line.prim, tuple(args), {"subscripts": f"{','.join(terms)}->{out}"})


ROWS = (
    *(Row(made(product, made("negative", "a"), "b"), lambda a, b, f=f: negative(f(a, b)))
      for product, f in (("matmul", matmul), ("chain_matmul", chain_matmul))),
    *(Row(made(product, "a", made("negative", "b")), lambda a, b, f=f: negative(f(a, b)))
      for product, f in (("matmul", matmul), ("chain_matmul", chain_matmul))),
    Rule((einsum, chain_einsum), summed_before),
)
