"""A question is what one asks of a gradient that is not as it should be: why is it missing, zero, infinite, unlike another?"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.eager import EAGER
from chainrule.errors import ArgumentError, NonScalarError
from chainrule.tensor import Tensor

from .record.recorded import must_be_recorded, names_by_id

if TYPE_CHECKING:
    from .comparing.comparison import Comparison
    from .diagnosis.birth import Birth
    from .diagnosis.reasons import Why


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
    if not is_tolerance(tiny):
        raise ArgumentError(f"why: tiny is a number from 0 on, not {tiny!r:.20}.")
    if loss.size != 1:
        raise NonScalarError(f"why: {loss.label} has {loss.size} elements, and a gradient belongs to one number. Reduce it "
                             "first, with .sum() or .mean().")
    from .diagnosis.reasons import answered  # questions are asked seldom: see `explain`
    return answered(loss, w, tiny)


def is_tolerance(x: Any) -> bool:
    return isinstance(x, int | float | np.number) and bool(x >= 0)


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
    if not (isinstance(names, Sequence) and len(names) == 2 and all(isinstance(given, Mapping) for given in names)):
        raise ArgumentError(f"compare: names is a pair of mappings, as in ({{'w': w_a}}, {{'w': w_b}}), not {names!r:.60}.")
    if tolerance is not None and not is_tolerance(tolerance):
        raise ArgumentError(f"compare: tolerance is a number from 0 on, not {tolerance!r:.20}.")
    from .comparing.comparison import Comparing  # questions are asked seldom: see `explain`
    from .record.record import Record
    a, b = (Record(loss, None, names_by_id(given)) for loss, given in zip((loss_a, loss_b), names))
    return Comparing(a, b, tolerance).comparison()


def birth(loss: Any) -> Birth:
    """Where the first NaN or infinity behind `loss` was born: the operation, the element, the arithmetic, the line, and a fix.

    If `loss` is not finite, the first operation whose inputs were and whose result is not; else, for a tensor of one element, the
    first contribution to a gradient of a leaf that is not finite though all that it was made of is. A rewrite of the operation is
    tried on the recorded computation, and told only if it makes the loss and all gradients finite. Values that are not
    finite and do no harm, such as those of a mask, are passed over.

    Raises ArgumentError, NoPathError, NonScalarError for a finite tensor of several elements.

    >>> import chainrule as cr, numpy as np
    >>> x = cr.tensor([1.0, 0.0], requires_grad=True, name="x")
    >>> found = cr.birth(cr.sum(cr.sqrt(x)))
    >>> found.kind, found.operation, found.index, found.arithmetic
    ('backward', 'sqrt', (1,), '1 × inf (0.5 / sqrt(0))')
    """
    if not (isinstance(loss, Tensor) and loss.owner is EAGER and not np.isfinite(loss.value).all()):
        must_be_recorded(loss, "birth")  # for what is finite, gradients are looked at, which belong to one number
    from .diagnosis.births import born
    from .record.trace import Trace
    return born(Trace(loss))
