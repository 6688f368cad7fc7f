"""A value, as facts hold it, is an array; where an operation has several outputs, a tuple of arrays."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.core.reverse import Partial, Recorded
from chainrule.core.type import typeof


def value_of(x: Any) -> Any:
    return x.value if isinstance(x, Recorded) else x


def used_values(order: Iterable[Recorded]) -> dict[int, Any]:
    """By id of each argument, what it was when it was used; a parameter may have other numbers by now."""
    return {id(a): v for x in order for a, v in zip(x.args, x.values)}


def shape_of(value: Any) -> tuple[int, ...]:
    return () if isinstance(value, tuple) else typeof(value).shape


def plain(g: Any, x: Any) -> Any:
    """A gradient in `x` as an array; of several outputs, as a tuple of arrays."""
    whole = g.filled(value_of(x)) if isinstance(g, Partial) else g
    return whole if isinstance(whole, tuple) else np.asarray(value_of(whole))
