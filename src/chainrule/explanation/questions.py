"""A question is what one asks of a gradient that is not as it should be: why is it missing, or zero?"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.errors import ArgumentError, NonScalarError
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from .reasons import Why


def why(loss: Any, w: Any, *, tiny: float = 1e-7) -> Why:
    """Why the gradient of `loss`, a tensor of one element, in the tensor `w` is None, exactly zero, partly zero, or tiny.

    Tiny means that no element is larger than `tiny` in size. The sweep is run anew; `.grad` stays as it is.

    Raises NonScalarError, ArgumentError.

    >>> import chainrule as cr
    >>> w = cr.tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> cr.why(cr.sum(cr.floor(w)), w).cuts[0].kind
    'flat'
    >>> cr.why(cr.sum(w.detach() * 2.0), w).kind
    'none'
    """
    for x in (loss, w):
        if not isinstance(x, Tensor):
            raise ArgumentError(f"why: it takes a loss and a value, both tensors, not {x!r:.60}.")
    if loss.size != 1:
        raise NonScalarError(f"why: {loss.label} has {loss.size} elements, and a gradient belongs to one number. Reduce it "
                             "first, with .sum() or .mean().")
    from .reasons import answered  # questions are asked seldom: see `explain`
    return answered(loss, w, tiny)
