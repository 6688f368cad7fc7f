"""What a loop keeps of each step for its way back: everything that is read there, or less where memory is dear.

Few values are simply kept. Where those of all steps together would not stay in a processor's cache, a value that follows from
kept ones by operations on single elements is computed again on the way back, as T. Chen et al., "Training deep nets with
sublinear memory cost", 2016, advise for operations that are cheap: of an LSTM, the products and states are kept, not the gates.
"""
from __future__ import annotations

from collections.abc import Collection

from chainrule.core.primitive import Primitive
from chainrule.core.stage import Line, Symbol

from .broadcasting import broadcast_to, cast, reshape
from .indexing import part
from .loop_body import Body, symbols
from .movement import permute_dims

PLENTY = 2 ** 20
"""So many bytes stay in the cache of a processor's core from the loop to its way back."""

MOVES = frozenset({part, reshape, permute_dims, broadcast_to, cast})


def is_cheap(prim: Primitive) -> bool:
    """Whether an operation looks at single elements, or only moves them."""
    return prim.slopes is not None or prim in MOVES


def kept_values(body: Body, carries: int, read: Collection[Symbol], *, known: Collection[Symbol], length: int) -> list[Symbol]:
    """The values to keep of each step, so that those `read` are there or follow from them and from the `known` ones."""
    wanted = {s: None for s in values_of(body) if s in read and s not in known}
    if length * sum(s.type.size * s.type.dtype.itemsize for s in wanted) <= PLENTY:
        return list(wanted)
    kept = [s for s in body.inputs[:carries] if s in wanted]
    there = {*known, *kept}
    for line in body.lines:
        new = line.targets
        if not (is_cheap(line.prim) and all(a in there for a in symbols(line.args))):
            new = tuple(t for t in line.targets if t in wanted)
            kept += new
        there.update(new)
    return kept


def recomputed(body: Body, read: Collection[Symbol], given: Collection[Symbol]) -> list[Line] | None:
    """The lines of the body that make, of the `given` values, what is read and not given; None where they do not suffice."""
    missing, lines = {s for s in values_of(body) if s in read and s not in given}, []
    for line in reversed(body.lines):
        if any(t in missing for t in line.targets):
            if not is_cheap(line.prim):
                return None
            missing.difference_update(line.targets)
            missing.update(a for a in symbols(line.args) if a not in given)
            lines.append(line)
    return None if missing else lines[::-1]


def values_of(body: Body) -> list[Symbol]:
    """Every value of a step, inputs first."""
    return [*body.inputs, *(t for line in body.lines for t in line.targets)]
