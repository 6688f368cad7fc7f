"""Batching: a value stands for one example while the computation runs on all of them at once."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import StagingError

from .interpreter import Box, Interpreter, escaped, under
from .primitive import Primitive
from .source import user_line
from .type import Array, Type, typeof


class Stacked(Box):
    """One value per example; the batch axis is always axis 0 of `value` and never seen outside."""

    __slots__ = ("value",)

    def __init__(self, owner: Interpreter, value: Array) -> None:
        self.owner, self.value = owner, value

    @property
    def type(self) -> Type:
        whole = typeof(self.value)
        return Type(whole.shape[1:], whole.dtype)

    def concrete(self, use: str) -> np.ndarray[Any, Any]:
        raise StagingError(f"{user_line()}: {use} asks for the numbers of a value of type {self.type} inside vmap, where it "
                           f"stands for {typeof(self.value).shape[0]} examples at once. Use cr.where(condition, a, b), which "
                           "chooses for each example, or loop over the examples in Python.")


class Batch(Interpreter):
    """Apply each operation to all examples at once, by its batch rule."""

    __slots__ = ("size",)
    name = "vmap"

    def __init__(self, size: int, parent: Interpreter | None = None) -> None:
        super().__init__(parent)
        self.size = size

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        flags = [self.owns(a) for a in args]
        if not any(flags):
            return self.parent.apply(prim, args, params)
        if self.closed:
            raise escaped(args[flags.index(True)], prim.name)
        values = tuple(a.value if own else a for a, own in zip(args, flags))
        with under(self.parent):
            out = prim.batch(flags, *values, **params)
        return tuple(Stacked(self, o) for o in out) if isinstance(out, tuple) else Stacked(self, out)
