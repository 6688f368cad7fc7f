"""A summary shows a network as a table: what each part gives back, and how many numbers it learns and holds."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.tree import tree_map
from chainrule.core.type import typeof
from chainrule.errors import ArgumentError
from chainrule.tensor import no_grad

from .module import Module, rebuilt

UNITS = ("B", "kB", "MB", "GB")


def summary(module: Module, *inputs: Any, dtype: Any = "float32") -> str:
    """The modules, their outputs' shapes, their parameters and buffers, and how many numbers there are in all.

    For the outputs, say what the module is called with: for each input the shape (batch included) of zeros, of `dtype`, or an
    array, such as whole numbers for an embedding. Nothing is changed: the network runs as after `eval()`, on a copy.

    >>> import chainrule as cr
    >>> print(cr.nn.summary(cr.nn.Sequential(cr.nn.Linear(64, 10), cr.nn.BatchNorm1d(10)), (32, 64)))
    name  layer        output    parameters  buffers
          Sequential   (32, 10)         670       21
    0     Linear       (32, 10)         650        0
    1     BatchNorm1d  (32, 10)          20       21
    670 parameters, 670 of them trained, and 21 numbers in buffers: 2.77 kB
    """
    outputs = output_shapes(module, [example(x, dtype) for x in inputs]) if inputs else {}
    rows: list[tuple[str, ...]] = [("name", "layer", "output", "parameters", "buffers")]
    sizes = {name: counted(part) for name, part in module.named_modules()}
    for name, part in module.named_modules():
        rows.append((name, type(part).__name__, outputs.get(name, ""), *(f"{n:,}" for n in sizes[name])))
    columns = [0, 1, *([2] if outputs else []), 3, *([4] if sizes[""][1] else [])]
    widths = {i: max(len(row[i]) for row in rows) for i in columns}
    table = ["  ".join(row[i].rjust(widths[i]) if i > 2 else row[i].ljust(widths[i]) for i in columns) for row in rows]
    return "\n".join([*table, totals(module, *sizes[""])])


def example(x: Any, dtype: Any) -> Any:
    """An input: an array as it is, or zeros of a shape."""
    if hasattr(x, "dtype"):
        return x
    if not isinstance(x, tuple | list) or not all(isinstance(n, int | np.integer) for n in x):
        raise ArgumentError(f"summary: an input is {repr(x)[:60]}: give for each input a shape, a tuple of whole numbers, or an "
                            "array.")
    return np.zeros(tuple(x), dtype)


def counted(module: Module) -> tuple[int, int]:
    """How many numbers the parameters, frozen ones too, and the buffers hold."""
    held = {id(t): t for t in module.buffers()}
    learned = {id(t): t for t in module.named_tensors().values() if id(t) not in held}
    return sum(t.size for t in learned.values()), sum(t.size for t in held.values())


def totals(module: Module, parameters: int, buffers: int) -> str:
    trained = sum(p.size for p in module.parameters())
    size = float(sum(t.size * t.dtype.itemsize for t in {id(t): t for t in module.named_tensors().values()}.values()))
    unit = min(int(math.log10(max(size, 1))) // 3, len(UNITS) - 1)
    held = f", and {buffers:,} numbers in buffers" if buffers else ""
    return f"{parameters:,} parameters, {trained:,} of them trained{held}: {size / 1000 ** unit:.3g} {UNITS[unit]}"


def output_shapes(module: Module, inputs: list[Any]) -> dict[str, str]:
    """The shape of what each part returns, by name, when the whole is called."""
    found: dict[str, str] = {}

    def watch(name: str, part: Module) -> None:
        compute = part.forward

        def forward(*args: Any, **options: Any) -> Any:
            out = compute(*args, **options)
            found[name] = str(tree_map(lambda x: typeof(x).shape, out))
            return out
        part.forward = forward  # type: ignore[method-assign]
    with no_grad():
        rebuilt(module, lambda name, t: t, watch).eval()(*inputs)
    return found
