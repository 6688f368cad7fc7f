"""A question is what one asks of a gradient that is not as it should be: why is it missing, or zero, or unlike another?"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.errors import ArgumentError, NonScalarError
from chainrule.tensor import Tensor

from .recorded import must_be_recorded

if TYPE_CHECKING:
    from .comparison import Comparison
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


def compare(loss_a: Any, loss_b: Any, *, names: Sequence[Mapping[str, Any]] = ({}, {}),
            tolerance: float | None = None) -> Comparison:
    """Two recorded losses side by side: the first value and the first edge in which they differ, and by how much.

    The losses may come from one program with other data or parameters, or from two programs that should do the same. Values are
    paired by structure: operation, options, arguments, and the names of tensors where both have some; what only one of them
    has is listed. `names` holds what to call the tensors of each loss, such as `(locals_a, locals_b)`. Numbers closer than
    `tolerance`, relative to the largest of their array, count as the same; without it that is 1e-9 in float64, 1e-4 in float32
    and 1e-2 in float16.

    Raises NonScalarError, NoPathError, ArgumentError.

    >>> import chainrule as cr
    >>> def loss(w):
    ...     w = cr.tensor(w, requires_grad=True, name="w")
    ...     return cr.exp(w) * w
    >>> cr.compare(loss(1.0), loss(1.0)).same
    True
    >>> c = cr.compare(loss(1.0), loss(1.5))
    >>> c.first_value.a.name, c.first_value.value.absolute
    ('w', 0.5)
    """
    for loss in (loss_a, loss_b):
        must_be_recorded(loss, "compare")
    if len(names) != 2 or (tolerance is not None and not tolerance >= 0):
        raise ArgumentError(f"compare: names is a pair of mappings and tolerance a number from 0, not {len(names)} mappings and "
                            f"{tolerance!r:.20}.")
    from .comparison import Comparing  # questions are asked seldom: see `explain`
    from .record import Record
    a, b = (Record(loss, None, {id(t): name for name, t in given.items() if isinstance(t, Tensor)})
            for loss, given in zip((loss_a, loss_b), names))
    return Comparing(a, b, tolerance).comparison()
