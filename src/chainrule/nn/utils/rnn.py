"""Sequences of different lengths are padded to a batch, and their lengths given to the recurrent layer."""
from __future__ import annotations

from collections.abc import Sequence

from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.movement import stack
from chainrule.ops.rearrangement import pad


def pad_sequence(sequences: Sequence[Array], batch_first: bool = False, padding_value: float = 0.0, *,
                 padding_side: str = "right") -> Array:
    """Arrays (length, ...) of different lengths as one, (longest, batch, ...), filled up with `padding_value`.

    With `batch_first` (batch, longest, ...). Gradients flow to each sequence. A recurrent layer is then given
    `lengths=[len(s) for s in sequences]`. Raises ArgumentError, ShapeError.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.utils.rnn.pad_sequence([np.array([1.0, 2.0]), np.array([3.0])], batch_first=True)
    array([[1., 2.],
           [3., 0.]])
    """
    types = [typeof(s) for s in sequences]
    if not types or padding_side not in ("right", "left"):
        raise ArgumentError(f"pad_sequence: {len(types)} sequences and padding_side={padding_side!r}: give at least one, and "
                            "'right' or 'left'.")
    if any(not t.ndim or t.shape[1:] != types[0].shape[1:] for t in types):
        raise ShapeError(f"pad_sequence: the sequences are {', '.join(map(str, types[:4]))}, and must be alike but for their "
                         "first axis, their length.")
    longest = max(t.shape[0] for t in types)
    rest = ((0, 0),) * (types[0].ndim - 1)
    filled = [pad(s, ((0, longest - t.shape[0]) if padding_side == "right" else (longest - t.shape[0], 0), *rest),
                  constant_values=padding_value) for s, t in zip(sequences, types)]
    return stack(*filled, axis=1 if not batch_first else 0)
