"""A module is a function with parameters: a tree of arrays, and what to compute with them."""
from __future__ import annotations

import copy
from collections import UserList, deque
from collections.abc import Callable, Iterator, Mapping, MappingView, Set
from dataclasses import is_dataclass
from types import GeneratorType
from typing import Any, NamedTuple, Self

import numpy as np

from chainrule.core.reverse import serials
from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError
from chainrule.scopes import note
from chainrule.tensor import Tensor


class Entry(NamedTuple):
    """One place in a module where a tensor or a module hangs: its dotted name, and what hangs there."""

    name: str
    value: Any


class Module:
    """A part of a network: subclass it, put tensors and other modules on `self`, and write `forward`.

    A tensor attribute that requires a gradient is a parameter; one that does not is a buffer, which is saved but not
    trained. Both are found, with a dotted name, on the module itself, on its submodules, and inside plain lists, tuples and
    dicts of either. `super().__init__()` may be left out.

    >>> import chainrule as cr
    >>> class Scale(cr.nn.Module):
    ...     def __init__(self):
    ...         self.factor = cr.tensor(2.0, requires_grad=True)
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    >>> Scale()(3.0).item()
    6.0
    """

    training = True
    frozen: frozenset[str] = frozenset()  # names of own parameters that are held fixed, to tell them from buffers

    def forward(self, *args: Any, **options: Any) -> Any:
        """What the module computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward; define `def forward(self, x)` in the class.")

    def __call__(self, *args: Any, **options: Any) -> Any:
        begin = next(serials)
        out = self.forward(*args, **options)
        note(begin, None, self)
        return out

    # ---------------------------------------------------------------- what it is made of
    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below this one, with their names."""
        for entry in entries(self):
            if isinstance(entry.value, Module):
                yield entry

    def children(self) -> Iterator[Module]:
        """The modules directly below this one."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (whose name is empty) and all below it, each once, with dotted names."""
        seen: set[int] = set()

        def walk(module: Module, name: str) -> Iterator[tuple[str, Module]]:
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module
                for below, child in module.named_children():
                    yield from walk(child, joined(name, below))
        return walk(self, prefix)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_tensors(self) -> dict[str, Tensor]:
        """Every parameter and buffer by its dotted name; a tensor that hangs in two places has two names."""
        return dict(walk_tensors(self, "", ()))

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors to be trained, each once, with their dotted names."""
        seen: set[int] = set()
        for name, t in self.named_tensors().items():
            if t.requires_grad and id(t) not in seen:
                seen.add(id(t))
                yield name, t

    def parameters(self) -> Iterator[Tensor]:
        """The tensors to be trained, each once: what an optimizer is given."""
        return (p for _, p in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that are saved and not trained, each once, with their dotted names; a frozen parameter is none."""
        seen = {id(t) for module in self.modules() for name, t in entries(module) if name in module.frozen}
        for name, t in self.named_tensors().items():
            if not t.requires_grad and id(t) not in seen:
                seen.add(id(t))
                yield name, t

    def buffers(self) -> Iterator[Tensor]:
        """The tensors that are saved and not trained, each once."""
        return (t for _, t in self.named_buffers())

    def name_parameters(self, prefix: str = "") -> Self:
        """Give each parameter its dotted name, by which messages, graphs and explanations then call it."""
        for name, p in self.named_parameters():
            p.name = joined(prefix, name)
        return self

    # ---------------------------------------------------------------- what it knows
    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """The values of all parameters and buffers, by dotted name, as read-only arrays."""
        return {name: t.data.numpy() for name, t in self.named_tensors().items()}

    def load_state_dict(self, state: Mapping[str, Array], *, strict: bool = True) -> None:
        """Take over the values of `state`, in the dtype of this module's own.

        With `strict`, every name must be on both sides. Nothing is changed unless everything fits. Raises ArgumentError, which
        lists missing, unexpected and misshapen names side by side.
        """
        own = self.named_tensors()
        problems = differences(own, state, strict)
        if problems:
            raise ArgumentError(f"load_state_dict: the state does not fit this {type(self).__name__}:\n{problems}\n"
                                "Build the module with the sizes it was saved with, or load what fits with strict=False.")
        for name, t in own.items():
            if name in state:
                t.data = state[name]

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.grad = None

    def train(self, mode: bool = True) -> Self:
        """Switch this module, and all below, to training: dropout drops, batch norm looks at the batch."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch this module, and all below, to use: the opposite of `train()`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze all parameters (False), so that they are saved but not trained, or train the frozen ones again (True)."""
        for module in self.modules():
            own = {name: t for name, t in entries(module) if isinstance(t, Tensor)}
            chosen = module.frozen if requires_grad else {name for name, t in own.items() if t.requires_grad}
            for name in chosen:
                own[name].requires_grad_(requires_grad)
            module.frozen = frozenset() if requires_grad else module.frozen | chosen
        return self

    # ---------------------------------------------------------------- how it is shown
    def extra_repr(self) -> str:
        """What stands between the parentheses when the module is printed."""
        return ""

    def __repr__(self) -> str:
        inner = [f"  ({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        if not inner:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([f"{type(self).__name__}({self.extra_repr()}", *inner, ")"])


def joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def entries(module: Module) -> Iterator[Entry]:
    """The tensors and modules that hang directly on a module, those in its lists, tuples and dicts included."""
    for name, value in vars(module).items():
        yield from inside(value, name)


def hides(value: Any) -> bool:
    """Whether this is another kind of container, with modules or tensors in it; a generator would have to be used up to know."""
    if isinstance(value, GeneratorType | map | filter | zip):
        return True
    held: Any = (value if isinstance(value, Set | deque | MappingView | UserList) else vars(value).values()
                 if is_dataclass(value) and not isinstance(value, type) else ())
    return any(isinstance(item, Module | Tensor) for item in held)


def inside(value: Any, name: str) -> Iterator[Entry]:
    if isinstance(value, Module) or (isinstance(value, Tensor) and value.is_leaf):
        yield Entry(name, value)
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from inside(item, f"{name}.{i}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from inside(item, f"{name}.{key}")
    elif hides(value):
        raise ArgumentError(f"{name}: modules and tensors in a {type(value).__name__} have no names, so they would be neither "
                            "saved nor trained. Use a list or a dict.")


def walk_tensors(module: Module, prefix: str, above: tuple[Module, ...]) -> Iterator[tuple[str, Tensor]]:
    if any(module is m for m in above):
        raise ArgumentError(f"{prefix}: this {type(module).__name__} contains itself, so its parameters would have names without "
                            "end. Remove the reference to the module above.")
    for name, value in entries(module):
        if isinstance(value, Module):
            yield from walk_tensors(value, joined(prefix, name), (*above, module))
        else:
            yield joined(prefix, name), value


def differences(own: Mapping[str, Tensor], state: Mapping[str, Array], strict: bool) -> str:
    """Where two sets of names and shapes differ, a line each; empty where they fit."""
    rows = []
    for name in dict.fromkeys([*own, *state]):
        here = str(typeof(own[name]).shape) if name in own else "-"
        there = str(typeof(state[name]).shape) if name in state else "-"
        kind = ("missing" if name not in state else "unexpected" if name not in own
                else "misshapen" if here != there else None)
        if kind == "misshapen" or (kind and strict):
            rows.append((kind, name, here, there))
    if not rows:
        return ""
    table = [("", "name", "module", "state"), *rows]
    widths = [max(len(row[i]) for row in table) for i in range(4)]
    return "\n".join("  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in table)


# ---------------------------------------------------------------------------------------- the functional face
def functional_call(module: Module, parameters: Mapping[str, Array], *args: Any, **options: Any) -> Any:
    """What `module` computes when the named parameters and buffers have these values; the module itself stays as it is.

    The parameters are then an argument like any other: a tree that every transform takes. Names left out keep their
    values. Raises ArgumentError for a name the module does not have, or a value of another shape.

    >>> import chainrule as cr, numpy as np
    >>> layer = cr.nn.Linear(2, 1)
    >>> weights = {"weight": np.array([[1.0, 2.0]]), "bias": np.array([0.5])}
    >>> cr.nn.functional_call(layer, weights, np.array([3.0, 4.0]))
    array([11.5])
    >>> cr.grad(lambda w: cr.nn.functional_call(layer, w, np.array([3.0, 4.0])).sum())(weights)["weight"]
    array([[3., 4.]])
    """
    problems = differences({n: t for n, t in module.named_tensors().items() if n in parameters}, parameters, strict=True)
    if problems:
        raise ArgumentError(f"functional_call: these parameters do not fit the {type(module).__name__}:\n{problems}\n"
                            "Start from dict(module.named_parameters()).")
    return rebuilt(module, lambda name, t: parameters.get(name, t))(*args, **options)


def rebuilt(module: Module, replace: Callable[[str, Tensor], Any],
            adjust: Callable[[str, Module], None] = lambda name, module: None) -> Module:
    """A copy of the module, all its parts included, whose tensor called `name` is `replace(name, tensor)`.

    `adjust(name, part)` may then change each copied part. What is shared inside the module is shared inside the copy.
    """
    copies: dict[int, Module] = {}

    def part(value: Any, name: str) -> Any:
        if isinstance(value, Module):
            return whole(value, name)
        if isinstance(value, Tensor) and value.is_leaf:
            return replace(name, value)
        if isinstance(value, list | tuple):
            items = [part(item, joined(name, str(i))) for i, item in enumerate(value)]
            return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
        if isinstance(value, dict):
            return {key: part(item, joined(name, str(key))) for key, item in value.items()}
        return value

    def whole(original: Module, prefix: str) -> Module:
        if id(original) not in copies:
            made = copies[id(original)] = copy.copy(original)
            for name, value in vars(original).items():
                vars(made)[name] = part(value, joined(prefix, name))
            adjust(prefix, made)
        return copies[id(original)]
    return whole(module, "")
