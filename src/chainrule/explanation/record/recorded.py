"""A recorded loss is one number, computed from tensors that require gradients."""
from __future__ import annotations

from typing import Any

from chainrule.eager import EAGER
from chainrule.errors import ArgumentError, NonScalarError, NoPathError
from chainrule.tensor import Tensor


def must_be_recorded(loss: Any, where: str) -> None:
    """Raise the error for what is not a recorded loss."""
    if not isinstance(loss, Tensor):
        raise ArgumentError(f"{where}: a loss is a tensor computed from tensors that require gradients, not {loss!r:.60}.")
    if loss.owner is not EAGER:
        raise NoPathError(f"{where}: {loss.label} depends on no tensor that requires a gradient. Make the leaves with "
                          "requires_grad=True.")
    if loss.size != 1:
        raise NonScalarError(f"{where}: {loss.label} has {loss.size} elements, and a gradient belongs to one number. Reduce it "
                             "first, with .sum() or .mean().")
