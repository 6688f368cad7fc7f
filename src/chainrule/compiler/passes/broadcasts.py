"""What is computed of repeated numbers is computed once and then repeated; what is summed of them is multiplied."""
from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from chainrule.core.stage import Line, Symbol
from chainrule.core.type import Array, Shape, typeof
from chainrule.ops import ALL
from chainrule.ops.arithmetic import multiply, negative
from chainrule.ops.broadcasting import broadcast_to, cast, chain, integer_cast, reshape, stop_gradient, sum
from chainrule.ops.choice import where
from chainrule.ops.families import reduced_shape
from chainrule.ops.reduction import all as all_
from chainrule.ops.reduction import any as any_
from chainrule.ops.reduction import max, min
from chainrule.ops.statistics import mean

from .patterns import Row, Rule, made

ELEMENTWISE = (*(prim for prim in ALL if prim.slopes is not None), where, chain, cast, integer_cast, stop_gradient)
FOLDS = (sum, mean, max, min, all_, any_)
"""Reductions that give an element back if it is the only one."""


# ---------------------------------------------------------------------------------------- repeat last
def unrepeated(a: Array, known: Any) -> Array:
    """What an argument repeats along its axes, or None."""
    if type(a) is np.ndarray:
        return a.reshape(-1)[:1].reshape(()) if a.ndim and known.number(a) is not None else None
    source = known.made.get(a) if isinstance(a, Symbol) else None
    if source is None or source.prim is not broadcast_to:
        return None
    x = source.args[0]
    if not typeof(x).weak:
        return x
    return None if isinstance(x, Symbol) else np.asarray(x)


def repeated_last(line: Line, known: Any) -> Array:
    """An elementwise operation on the numbers that are repeated, not on their copies."""
    found = [unrepeated(a, known) for a in line.args]
    if all(x is None for x in found):
        return None
    args = tuple([a if x is None else x for a, x in zip(line.args, found)])
    return known.apply(line.prim, args, line.params)


# ---------------------------------------------------------------------------------------- folds
def fold_of_one(line: Line, known: Any) -> Array:
    """To fold axes of size 1, or none, is to drop them."""
    x, shape = line.args[0], typeof(line.args[0]).shape
    return reshape(x, shape=line.targets[0].type.shape) if {shape[a] for a in line.params["axis"]} <= {1} else None


def fold_of_copies(line: Line, known: Any) -> Array:
    """Along axes where an array only repeats, a sum multiplies, and the other folds do nothing."""
    a, axis, keepdims = line.args[0], line.params["axis"], line.params["keepdims"]
    full = typeof(a).shape
    x = None if 0 in full else unrepeated(a, known)
    if x is None:
        return None
    sizes = (*[1] * (len(full) - typeof(x).ndim), *typeof(x).shape)
    copies = [i for i in axis if sizes[i] != full[i]]
    if not copies:
        return None
    left = [i for i in range(len(full)) if i not in copies]
    y = reshape(x, shape=tuple([sizes[i] for i in left]))
    y = known.apply(line.prim, (y,), {"axis": tuple([left.index(i) for i in axis if i in left]), "keepdims": False})
    if line.prim is sum:
        y = multiply(y, prod([full[i] for i in copies]))
    y = broadcast_to(y, shape=reduced_shape(full, axis, False))
    return reshape(y, shape=reduced_shape(full, axis, True)) if keepdims else y


def summed_twice(x: Array, inner: Shape, kept: bool, axis: Shape, keepdims: bool) -> Array:
    """A sum of sums is one sum over the axes of both."""
    if kept != keepdims and inner and axis:
        return None
    rest = range(typeof(x).ndim) if kept else [i for i in range(typeof(x).ndim) if i not in inner]
    return sum(x, axis=tuple(sorted({*inner, *(rest[a] for a in axis)})), keepdims=keepdims)


ROWS = (
    *(Rule((prim,), repeated_last) for prim in ELEMENTWISE),
    *(Rule((prim,), rule) for prim in FOLDS for rule in (fold_of_one, fold_of_copies)),
    Row(made("sum", made("sum", "x", axis="inner", keepdims="kept"), axis="axis", keepdims="keepdims"), summed_twice),
    Row(made("sum", made("negative", "x"), axis="axis", keepdims="keepdims"),
        lambda x, axis, keepdims: negative(sum(x, axis=axis, keepdims=keepdims))),
)
