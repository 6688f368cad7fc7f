"""A container is a module made of modules."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, overload

from chainrule.core.type import Array, normal_axis, typeof
from chainrule.errors import ArgumentError
from chainrule.ops.broadcasting import reshape

from .module import Module


class Sequential(Module):
    """One module after another: each is given what the one before returned.

    The modules are numbered, or have the names under which a dict gives them. Raises ArgumentError.

    >>> import chainrule as cr
    >>> model = cr.nn.Sequential(cr.nn.Linear(2, 3), cr.nn.ReLU(), cr.nn.Linear(3, 1))
    >>> [name for name, _ in model.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    >>> cr.nn.Sequential({"fc1": cr.nn.Linear(2, 3), "act1": cr.nn.ReLU()}).fc1.weight.shape
    (3, 2)
    """

    @overload
    def __init__(self, *layers: Module) -> None: ...
    @overload
    def __init__(self, layers: Mapping[str, Module], /) -> None: ...

    def __init__(self, *layers: Any) -> None:
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            named = dict(layers[0])
        else:
            named = {str(i): layer for i, layer in enumerate(layers)}  # "0.weight" as in PyTorch, no list's name in front
        for name, layer in named.items():
            if not isinstance(layer, Module):
                hint = " Write Sequential(*layers) with a star." if isinstance(layer, list | tuple) else ""
                raise ArgumentError(f"Sequential: argument {name} is a {type(layer).__name__}, not a module.{hint}")
            if not isinstance(name, str) or not name or "." in name or hasattr(type(self), name):
                raise ArgumentError(f"Sequential: {name!r:.40} cannot be the name of a layer: names are words without a dot, "
                                    "other than those of a module's own attributes and methods.")
        for name, layer in named.items():
            setattr(self, name, layer)

    def layers(self) -> list[Module]:
        """The modules, in order."""
        return list(self.children())

    def forward(self, x: Any) -> Any:
        for layer in self.children():
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    @overload
    def __getitem__(self, i: int) -> Module: ...
    @overload
    def __getitem__(self, i: slice) -> Sequential: ...

    def __getitem__(self, i: int | slice) -> Module:
        return Sequential(dict(list(self.named_children())[i])) if isinstance(i, slice) else self.layers()[i]


class Flatten(Module):
    """Join the axes `start_dim` to `end_dim` into one: by default all but the first, which counts the examples."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Array) -> Array:
        shape = typeof(x).shape
        start, end = (normal_axis("Flatten", axis, len(shape)) for axis in (self.start_dim, self.end_dim))
        return reshape(x, (*shape[:start], prod(shape[start:end + 1]), *shape[end + 1:]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
