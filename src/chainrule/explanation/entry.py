"""The entries take a recorded loss, check that it can be spoken of, and have it explained, or a derivation of it checked."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chainrule.errors import ArgumentError

from .record.recorded import must_be_recorded, names_by_id

if TYPE_CHECKING:
    from .practice.derivation_check import DerivationCheck
    from .story import Explanation


def explain(loss: Any, wrt: Any = None, *, names: Mapping[str, Any] | None = None, open: bool = False) -> Explanation:
    """How every number in the gradients of `loss`, a tensor of one element, came to be.

    `wrt` is the tensor, or the list of tensors, whose gradients to explain; None means all leaves. `names` says what to call
    tensors and modules (`names=locals()` calls them as the program does); parameters of a module go by their dotted names.
    With `open`, composites such as sigmoid or softmax are opened into their parts; otherwise each is shown as one gate. The
    sweep is run anew, so it does not matter whether `loss.backward()` was called; `.grad` stays as it is.

    Raises NonScalarError, NoPathError, ArgumentError.

    >>> import chainrule as cr
    >>> x = cr.tensor(3.0, requires_grad=True, name="x")
    >>> cr.explain(x * x).gradients
    {'x': array(6., dtype=float32)}
    """
    must_be_recorded(loss, "explain")
    wanted = None if wrt is None else list(wrt) if isinstance(wrt, list | tuple) else [wrt]
    from .record.record import Record
    from .story import explained  # explanations are asked for seldom, and loading them takes a hundredth of a second
    e = explained(Record(loss, wanted, names_by_id(names)))
    return e.open() if open else e


def check_derivation(loss: Any, gradients: Mapping[str, Any], names: Mapping[str, Any] | None = None, *,
                     tolerance: float | None = None) -> DerivationCheck:
    """Compare gradients derived by hand with those of `loss`, in the order of the sweep, and name the first wrong step's slip.

    `gradients` are arrays by name, or formulas such as `"delta2 @ a1.T"` in the names of values and of earlier steps. `dW1` and
    `dL/dW1` are the gradient in W1, `delta2` is that in z2. `names` says what to call tensors that have no name
    (`names=locals()`). A step computed rightly from a wrong one is not wrong itself: it follows. Numbers agree if they differ by
    less than `tolerance` times the largest element; None means rounding only.

    Raises ArgumentError, NonScalarError, NoPathError.

    >>> import chainrule as cr
    >>> w = cr.tensor([3.0, 1.0], requires_grad=True, name="w")
    >>> check = cr.check_derivation(cr.sum((w * 3.0) ** 2), {"dw": "2 * (w * 3)"})
    >>> check.first_wrong.name, check.first_wrong.slip
    ('dw', 'missing factor')
    """
    must_be_recorded(loss, "check_derivation")
    if not isinstance(gradients, Mapping) or not gradients or not all(isinstance(name, str) for name in gradients):
        raise ArgumentError(f"check_derivation: gradients are arrays by name, as in {{'dW1': dW1}}, not {gradients!r:.60}.")
    if tolerance is not None and not (isinstance(tolerance, int | float) and 0 < tolerance < 1):
        raise ArgumentError(f"check_derivation: tolerance is between 0 and 1, not {tolerance!r:.20}.")
    from .practice.derivation_check import Comparison
    from .record.record import Record
    return Comparison(Record(loss, None, names_by_id(names)), gradients, names or {}, tolerance).check()
