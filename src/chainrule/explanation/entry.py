"""The entry: `explain` takes a recorded loss, checks that it can be explained, and has it explained."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chainrule.tensor import Tensor

from .recorded import must_be_recorded

if TYPE_CHECKING:
    from .story import Explanation


def explain(loss: Any, wrt: Any = None, *, names: Mapping[str, Any] | None = None, open: bool = False) -> Explanation:
    """How every number in the gradients of `loss`, a tensor of one element, came to be.

    `wrt` is the tensor, or the list of tensors, whose gradients to explain; None means all leaves. `names` says what to call
    tensors that have no name (`names=locals()` calls them as the program does). With `open`, composites such as sigmoid or
    softmax are opened into their parts; otherwise each is shown as one gate. The sweep is run anew, so it does not matter
    whether `loss.backward()` was called; `.grad` stays as it is.

    Raises NonScalarError, NoPathError, ArgumentError.

    >>> import chainrule as cr
    >>> x = cr.tensor(3.0, requires_grad=True, name="x")
    >>> cr.explain(x * x).gradients
    {'x': array(6., dtype=float32)}
    """
    must_be_recorded(loss, "explain")
    wanted = None if wrt is None else list(wrt) if isinstance(wrt, list | tuple) else [wrt]
    given = {id(t): name for name, t in (names or {}).items() if isinstance(t, Tensor)}
    from .opening import opened  # explanations are asked for seldom, and loading them takes a hundredth of a second
    from .record import Record
    record = Record(loss, wanted, given)
    return opened(record) if open else record.explanation()
