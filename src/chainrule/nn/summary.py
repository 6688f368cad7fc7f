"""A summary shows a network as a table: what each part gives back, and how many numbers it learns."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.type import typeof
from chainrule.tensor import no_grad

from .module import Module, rebuilt


def summary(module: Module, shape: tuple[int, ...] | None = None, *, dtype: Any = "float32") -> str:
    """The modules, their parameters and, given the `shape` of an input (batch included), the shapes of their outputs.

    >>> import chainrule as cr
    >>> print(cr.nn.summary(cr.nn.Sequential(cr.nn.Linear(64, 10), cr.nn.ReLU()), (32, 64)))
    name  layer       output    parameters
          Sequential  (32, 10)         650
    0     Linear      (32, 10)         650
    1     ReLU        (32, 10)           0
    """
    outputs = output_shapes(module, shape, dtype) if shape is not None else {}
    rows = [("name", "layer", "output", "parameters")]
    for name, part in module.named_modules():
        rows.append((name, type(part).__name__, outputs.get(name, ""), f"{sum(p.size for p in part.parameters()):,}"))
    columns = [0, 1, 2, 3] if shape is not None else [0, 1, 3]
    widths = {i: max(len(row[i]) for row in rows) for i in columns}
    return "\n".join("  ".join(row[i].rjust(widths[i]) if i == 3 else row[i].ljust(widths[i]) for i in columns) for row in rows)


def output_shapes(module: Module, shape: tuple[int, ...], dtype: Any) -> dict[str, str]:
    """The shape of what each part returns, by name, when the whole is called on zeros of `shape`."""
    found: dict[str, str] = {}

    def watch(name: str, part: Module) -> None:
        compute = part.forward

        def forward(*args: Any, **options: Any) -> Any:
            out = compute(*args, **options)
            found[name] = str(typeof(out).shape)
            return out
        part.forward = forward  # type: ignore[method-assign]
    with no_grad():
        rebuilt(module, lambda name, t: t, watch).eval()(np.zeros(shape, dtype))
    return found
