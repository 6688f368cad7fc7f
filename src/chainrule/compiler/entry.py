"""The entry to the compiler: the decorator that users write."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from .compiled import Compiled


@overload
def compile(function: Callable[..., Any], *, memory: str | int | None = None) -> Compiled: ...


@overload
def compile(function: None = None, *, memory: str | int | None = None) -> Callable[[Callable[..., Any]], Compiled]: ...


def compile(function: Callable[..., Any] | None = None, *, memory: str | int | None = None) -> Any:
    """A function of tensors, up to a whole training step, as one native function.

    Used as a decorator, with or without options. The function runs once on symbols for each signature: the shapes and dtypes of
    its arrays, and the values of its other arguments; Python floats may vary. Tensors, modules and optimizers are arguments or
    captured. What it does to tensors (`backward`, `.data =`, an optimizer's step) happens at each call; what it does in Python
    happens once. `memory` is a budget for the intermediate values, such as "64MB": what is cheapest to compute again is then
    not kept.

    `.graph()`, `.loops()`, `.llvm()` and `.memory()` of the result show what was made. Inside a transform, or another compiled
    function, it is the plain function. Without llvmlite it runs in NumPy. Raises StagingError for what cannot be staged, with
    the line and the way out, and ArgumentError for a budget that cannot be met.

    >>> import chainrule as cr, numpy as np
    >>> @cr.compile
    ... def slope(x):
    ...     return cr.grad(lambda x: cr.sin(x).sum())(x)
    >>> slope(np.array([0.0, np.pi]))
    array([ 1., -1.])
    """
    from .compiled import Compiled  # the compiler is loaded when it is first asked for
    if function is None:
        return lambda f: Compiled(f, memory)
    return Compiled(function, memory)
