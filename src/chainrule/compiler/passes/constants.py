"""A constant line needs nothing that is given at run time: it is computed once, now; so is one whose result is empty."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.stage import Line, Symbol
from chainrule.core.type import Array, typeof
from chainrule.errors import ChainruleError
from chainrule.ops.broadcasting import broadcast_to

LARGEST = 1 << 16
"""Results of more bytes than this, and than the arguments together, would only make the program bigger."""


def folded(line: Line, known: Any) -> Array:
    """The result of a line whose arguments are constants, or None where it should stay as it is.

    An array that repeats one number becomes that number, broadcast.
    """
    t = line.targets[0].type
    if len(line.targets) != 1:
        return None
    if not t.size:
        return np.zeros(t.shape, t.dtype)  # there is nothing to compute
    if any(isinstance(a, Symbol) for a in line.args):
        return None
    size = t.size * t.dtype.itemsize
    repeated = line.prim is broadcast_to and t.size > 1
    if repeated or (size > LARGEST and size > sum(np.asarray(a).nbytes for a in line.args if a is not None)):
        return None
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(line.prim.forward(*line.args, **line.params))
    except (ChainruleError, ArithmeticError, ValueError, TypeError, IndexError, np.linalg.LinAlgError):
        return None  # it shall fail when the program runs, as it does without a compiler
    if t.weak:
        return value.item()
    return settled(value.astype(t.dtype, copy=False), known)


def settled(value: np.ndarray[Any, Any], known: Any) -> Array:
    """A constant array, or the one number it repeats, broadcast."""
    if value.size > 1 and known.number(value) is not None:
        return broadcast_to(value.reshape(-1)[0:1].reshape(()).copy(), shape=typeof(value).shape)
    return value
