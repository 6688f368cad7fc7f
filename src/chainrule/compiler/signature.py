"""A signature is what a program was made for: the containers of the arguments, the types of arrays, the values of the rest."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import eager
from chainrule.core.tree import Structure, flatten
from chainrule.eager import EAGER
from chainrule.errors import StagingError

from .tracing import has_gradient

ARRAYS = frozenset({np.ndarray, eager.Tensor})
PLAIN = (bool, int, str, bytes, type(None), complex)


def signature(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, tuple[Any, ...]]:
    """The signature of a call, and the leaves of its arguments."""
    leaves, shape = args, None
    if options or not ARRAYS.issuperset(map(type, args)):
        found, structure = flatten((args, options))
        leaves, shape = tuple(found), hashable(structure)
    return (shape, repeated(leaves), *[leaf_type(leaf) for leaf in leaves]), leaves


def repeated(leaves: tuple[Any, ...]) -> tuple[int, ...]:
    """Which tensors are given more than once: the number of the first of each that is."""
    known: dict[int, int] = {}
    firsts = [known.setdefault(id(leaf), i) for i, leaf in enumerate(leaves) if type(leaf) is eager.Tensor]
    return tuple(firsts) if len(known) < len(firsts) else ()


def leaf_type(leaf: Any) -> Any:
    """What must be equal in one leaf: of an array its type, of a setting its value, of another object that it is the same."""
    kind = type(leaf)
    if kind is np.ndarray:
        return leaf.shape, leaf.dtype.char
    if kind is eager.Tensor:
        if leaf.prim is not None and leaf.owner is EAGER:
            raise StagingError(f"{leaf.label} was computed outside the compiled function from tensors that require gradients, "
                               "and no gradient can flow back to them. Give its .detach(), or compute it inside the function.")
        return leaf.value.shape, leaf.value.dtype.char, leaf.owner is EAGER, has_gradient(leaf)
    if kind is float:
        return float
    if kind in PLAIN:
        return kind, leaf
    return (leaf.dtype.char,) if isinstance(leaf, np.generic) else (kind, id(leaf))


def hashable(structure: Structure) -> Any:
    """A structure as a key; of a dataclass its class and its other fields count."""
    kind = structure.kind
    if not isinstance(kind, type | str):
        rest = tuple(sorted((k, leaf_type(v)) for k, v in vars(kind).items() if k not in structure.keys))
        kind = (type(kind), rest)
    return kind, structure.keys, tuple([hashable(child) for child in structure.children])
