"""A container is a module made of modules."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from chainrule.core.type import typeof
from chainrule.errors import ArgumentError, ShapeError

from .module import Module


def hang(container: Module, layers: Mapping[str, Any]) -> None:
    """Make these the parts of a container, by their names. Raises ArgumentError for what is no module, or no name."""
    kind = type(container).__name__
    for name, layer in layers.items():
        if not isinstance(layer, Module):
            hint = f" Write {kind}(*layers) with a star." if isinstance(layer, list | tuple) and kind == "Sequential" else ""
            raise ArgumentError(f"{kind}: argument {name} is a {type(layer).__name__}, not a module.{hint}")
        if not isinstance(name, str) or not name or "." in name or hasattr(type(container), name):
            raise ArgumentError(f"{kind}: {name!r:.40} cannot be the name of a layer: names are words without a dot, "
                                "other than those of a module's own attributes and methods.")
    for name, layer in layers.items():
        setattr(container, name, layer)


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
            hang(self, layers[0])
        else:
            hang(self, {str(i): layer for i, layer in enumerate(layers)})  # "0.weight" as in PyTorch, no list's name in front

    def layers(self) -> list[Module]:
        """The modules, in order."""
        return list(self.children())

    def append(self, layer: Module) -> Sequential:
        """Put one more module at the end."""
        hang(self, {str(len(self)): layer})
        return self

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


class Residual(Module):
    """`x + body(x)`: what the layers inside add to their input, or with a `shortcut`, to `shortcut(x)`.

    Several modules are put in a row. Raises ArgumentError, and ShapeError where the two sides differ in shape. He et al., "Deep
    residual learning for image recognition", CVPR 2016.

    >>> import chainrule as cr, numpy as np
    >>> block = cr.nn.Residual(cr.nn.Linear(4, 8), cr.nn.ReLU(), cr.nn.Linear(8, 4))
    >>> block(np.zeros((2, 4), np.float32)).shape
    (2, 4)
    """

    body: Module
    shortcut: Module

    def __init__(self, *body: Module, shortcut: Module | None = None) -> None:
        hang(self, {"body": body[0] if len(body) == 1 else Sequential(*body),
                    **({} if shortcut is None else {"shortcut": shortcut})})

    def forward(self, x: Any) -> Any:
        kept = self.shortcut(x) if hasattr(self, "shortcut") else x
        y = self.body(x)
        if typeof(kept).shape != typeof(y).shape:
            raise ShapeError(f"Residual: the layers make {typeof(y)} of {typeof(x)}, which cannot be added to "
                             f"{typeof(kept)}. Give shortcut=, a layer that makes the input of the same shape.")
        return kept + y


class ModuleList(Module):
    """Modules in a row, for a `forward` that calls them as it likes. A plain list of modules does the same.

    >>> import chainrule as cr
    >>> layers = cr.nn.ModuleList([cr.nn.Linear(2, 2) for _ in range(3)])
    >>> len(layers), [name for name, _ in layers[1:].named_parameters()]
    (3, ['0.weight', '0.bias', '1.weight', '1.bias'])
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def append(self, module: Module) -> ModuleList:
        """Put one more module at the end."""
        return self.extend([module])

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Put more modules at the end."""
        hang(self, {str(i): module for i, module in enumerate(modules, len(self))})
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put one more module in front of the one with this number."""
        modules = list(self)
        modules.insert(index, module)
        hang(self, {str(i): m for i, m in enumerate(modules)})

    def __setitem__(self, i: int, module: Module) -> None:
        hang(self, {str(range(len(self))[i]): module})

    def __getitem__(self, i: int | slice) -> Any:
        modules = list(self)
        return ModuleList(modules[i]) if isinstance(i, slice) else modules[i]

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[Module]:
        return self.children()


class ModuleDict(Module):
    """Modules by name, for a `forward` that calls them as it likes. A plain dict of modules does the same.

    >>> import chainrule as cr
    >>> heads = cr.nn.ModuleDict({"left": cr.nn.Linear(2, 1), "right": cr.nn.Linear(2, 3)})
    >>> heads["right"].weight.shape, "middle" in heads
    ((3, 2), False)
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, or put them in place of those of the same names."""
        hang(self, dict(modules))

    def keys(self) -> list[str]:
        """The names, in order."""
        return [name for name, _ in self.named_children()]

    def values(self) -> list[Module]:
        """The modules, in order."""
        return list(self.children())

    def items(self) -> list[tuple[str, Module]]:
        """The names and the modules, in order."""
        return [(name, child) for name, child in self.named_children()]

    def pop(self, name: str) -> Module:
        """Take a module out."""
        module = self[name]
        delattr(self, name)
        return module

    def __getitem__(self, name: str) -> Module:
        return dict(self.items())[name]

    def __setitem__(self, name: str, module: Module) -> None:
        hang(self, {name: module})

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())
