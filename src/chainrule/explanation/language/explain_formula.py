"""A formula with values, explained: what `chainrule explain` does with its arguments."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chainrule.errors import InputError, NonScalarError

from ..record.record import Record
from ..story import Explanation, explained
from .expression import Reading
from .given import given


def explain_formula(formula: str, values: Iterable[str] = (), *, wrt: Sequence[str] | None = None, open: bool = False,
                    symbols: Mapping[str, str] | None = None) -> Explanation:
    """The explanation of a formula such as `"(w*x - y)**2"`, with values such as `["w=2", "x=3", "y=5"]`, in float64.

    `wrt` names the values whose gradients to explain (None: all variables). `symbols` says what the gradients of named values
    are called, where that is not dL/d(name). Raises ExpressionError, InputError, and what the operations raise.

    >>> from chainrule.explanation.language.explain_formula import explain_formula
    >>> explain_formula("(w*x - y)**2", ["w=2", "x=3", "y=5"]).gradients["w"]
    array(6.)
    """
    reading = Reading(formula, given(values))
    loss, named = reading.run()
    if loss.size != 1:
        raise NonScalarError(f"the formula gives {loss.type}, and a gradient belongs to one number; wrap it in sum(...) or "
                             "mean(...).")
    unknown = [name for name in wrt or () if name not in named]
    if unknown:
        raise InputError(f"--wrt: no value is called {unknown[0]!r:.40}; there are {', '.join(named)}.")
    still = [name for name in wrt or () if not named[name].requires_grad]
    if still:
        raise InputError(f"--wrt: {still[0]} is made of whole numbers, which have no gradient.")
    wanted = None if wrt is None else [named[name] for name in dict.fromkeys(wrt)]
    record = Record(loss, wanted, {id(t): name for name, t in named.items()}, sources=reading.columns, symbols=symbols)
    e = explained(record)
    return e.open() if open else e
