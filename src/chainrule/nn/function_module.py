"""A function module applies one function, with the options it was made with."""
from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any, ClassVar

from chainrule.errors import ArgumentError
from chainrule.tensor import tensor

from .module import Module

REQUIRED = Parameter.empty
"""In place of a default: the option has to be given."""


class FunctionModule(Module):
    """The module of a function: a subclass names the function, and the options with their defaults, in order.

    Options are attributes, by the same names. Of `arrays` the ones given become buffers. `unused` options are taken for
    PyTorch's sake, and change nothing: values are immutable, and formulas exact. `check` looks at a module that was just made.
    `positional` says how many options need no name (all), `shown` which are printed (all but arrays and what is unused).

    >>> import chainrule as cr
    >>> class Power(cr.nn.function_module.FunctionModule, function=lambda x, exponent: x ** exponent, exponent=2):
    ...     pass
    >>> Power()(3.0), Power(exponent=3)
    (9.0, Power(exponent=3))
    """

    function: ClassVar[Callable[..., Any]]
    arrays: ClassVar[tuple[str, ...]]
    passed: ClassVar[tuple[str, ...]]
    shown: ClassVar[tuple[str, ...]]
    check: ClassVar[Callable[[Any], None]]
    __signature__: ClassVar[Signature]

    def __init_subclass__(cls, function: Callable[..., Any], arrays: tuple[str, ...] = (), unused: tuple[str, ...] = (),
                          check: Callable[[Any], None] = lambda module: None, positional: int | None = None,
                          shown: tuple[str, ...] | None = None, **options: Any) -> None:
        cls.function, cls.check, cls.arrays = staticmethod(function), check, arrays
        cls.passed = tuple(name for name in options if name not in unused)
        cls.shown = tuple(name for name in options if name not in arrays + unused) if shown is None else shown
        freely = len(options) if positional is None else positional
        cls.__signature__ = Signature([
            Parameter(name, Parameter.POSITIONAL_OR_KEYWORD if i < freely else Parameter.KEYWORD_ONLY, default=default)
            for i, (name, default) in enumerate(options.items())])

    def __init__(self, *args: Any, **options: Any) -> None:
        try:
            bound = type(self).__signature__.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}{type(self).__signature__}: {error}") from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            setattr(self, name, tensor(value) if name in self.arrays and value is not None else value)
        self.check()

    def forward(self, *inputs: Any) -> Any:
        return type(self).function(*inputs, **{name: getattr(self, name) for name in self.passed})

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.shown)


def one_of(module: Module, **choices: tuple[str, ...]) -> None:
    """Raise ArgumentError where an option is none of its choices."""
    for name, allowed in choices.items():
        value = getattr(module, name)
        if value not in allowed:
            raise ArgumentError(f"{type(module).__name__}: {name}={value!r} is none of {', '.join(map(repr, allowed))}.")
