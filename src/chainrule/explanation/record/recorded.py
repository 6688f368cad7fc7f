"""A recorded loss is one number, computed from tensors that require gradients."""
from __future__ import annotations

from collections.abc import Mapping
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


def names_by_id(names: Mapping[str, Any] | None) -> dict[int, str]:
    """What tensors and modules are to be called; other things among the names, such as those of `locals()`, are passed over."""
    if names is not None and not isinstance(names, Mapping):
        raise ArgumentError(f"names: names are a mapping from a name to a tensor or module, such as locals() or {{'w': w}}, not "
                            f"{names!r:.60}.")
    return {id(x): name for name, x in (names or {}).items() if isinstance(x, Tensor) or hasattr(type(x), "named_modules")}
