"""A primitive is one operation, with everything the engine will ever need to know of it."""
from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError

from . import interpreter
from .type import Array

Rule = Callable[..., Array]
Generator = np.random.Generator


@dataclass(frozen=True)
class Sample:
    """One call the laws are tested on: array arguments, options, and the arguments smooth enough for differences."""

    args: tuple[Array, ...]
    params: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True


@dataclass(frozen=True, eq=False)
class Primitive:
    """One operation.

    `backward` holds one rule per array argument, `(g, y, *args, **params) -> gradient of that argument`, or None where
    nothing flows. `tangent(tangents, y, *args, **params)` pushes tangents forward (None: that argument is constant).
    `batch(flags, *args, **params)` applies the operation to arguments whose axis 0, where the flag is set, holds one value
    per example. `result(*types, **params)` gives the type without computing. `prepare` has the public
    signature and brings a call into the canonical form `(args, params)` the rules rely on. An optional array is None when
    it is not given. An operation with several outputs returns a tuple; its type is a list of types.
    """

    name: str
    forward: Callable[..., Any]
    backward: Iterable[Rule | None]
    tangent: Callable[..., Any]
    batch: Callable[..., Any]
    result: Callable[..., Any]
    samples: Callable[[Generator], list[Sample]]
    hurried: tuple[Rule | None, ...] | None = None  # short rules (g, y, args) for plain arrays, blind to 0 x inf
    prepare: Callable[..., tuple[tuple[Array, ...], dict[str, Any]]] | None = None
    body: Callable[..., Any] | None = None  # composites: the same in smaller operations
    slopes: tuple[Any, ...] | None = None  # elementwise operations: d y / d argument, as numbers or rules (y, *args)
    tex: str | None = None
    infix: str | None = None
    domain: tuple[tuple[float, float], ...] | None = None  # where the laws and the accuracy table look
    doc: str = ""
    declared: Callable[..., Any] | None = None  # the function as written, whose signature people see
    keeping: Callable[[dict[str, Any]], dict[str, Any]] | None = None  # options that give what rules read as further outputs
    flows: bool = field(init=False)  # whether gradients can flow to every argument
    arity: int | None = field(init=False)  # of an operation without options: how many arrays it takes; None: any number

    def __post_init__(self) -> None:
        object.__setattr__(self, "flows", isinstance(self.backward, tuple) and all(self.backward))
        object.__setattr__(self, "arity", fixed_arity(self.declared or self.forward))
        object.__setattr__(self, "__doc__", self.doc)
        object.__setattr__(self, "__name__", self.name)
        object.__setattr__(self, "__wrapped__", self.prepare or self.declared or self.forward)  # help() shows the signature

    def __call__(self, *args: Any, **params: Any) -> Any:
        if self.prepare is not None:
            try:
                args, params = self.prepare(*args, **params)
            except ChainruleError:
                raise
            except TypeError:
                check_call(self.name, self.prepare, args, params)
                raise
        elif params or len(args) != self.arity is not None:  # NumPy would take one array more as the place to write to
            check_call(self.name, self.declared or self.forward, args, params)
        return interpreter.current.get(interpreter.ground).apply(self, args, params)

    def __repr__(self) -> str:
        return self.name


def fixed_arity(function: Callable[..., Any]) -> int | None:
    """How many arguments a function takes, where that is one number."""
    parameters = inspect.signature(function).parameters.values()
    fixed = all(p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty for p in parameters)
    return len(parameters) if fixed else None


TORCH_NAMES = {"dim": "axis", "keepdim": "keepdims", "unbiased": "correction"}


def check_call(name: str, prepare: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any]) -> None:
    """Raise the error for a call that does not fit the operation's signature, and show the signature."""
    signature = inspect.signature(prepare)
    try:
        signature.bind(*args, **params)
    except TypeError as error:
        bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
        shown = signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
        renamed = "".join(f" PyTorch's {old}= is {new}= here." for old, new in TORCH_NAMES.items() if old in params)
        raise TypeError(f"{name}: {error}. Call it as {name}{shown}.{renamed}") from None


class Each:
    """The backward rules of an operation that takes any number of arrays: rule i is `rule(i, g, y, *args, **params)`."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __getitem__(self, i: int) -> Rule:
        return lambda *given, **params: self.rule(i, *given, **params)

    def __iter__(self) -> Any:
        i = 0
        while True:
            yield self[i]
            i += 1


class Together:
    """The backward rules of an operation whose gradients are found all at once: `find(g, y, args, params)` returns one for
    each argument, and is called once for all arguments of one visit."""

    def __init__(self, find: Callable[..., Sequence[Array]], arity: int | None) -> None:
        self.find, self.arity = find, arity

    def __iter__(self) -> Iterator[Rule]:
        last: list[Any] = []  # what was last asked for, and what was found

        def rule(i: int, g: Array, y: Array, *args: Array, **params: Any) -> Array:
            asked = (g, y, *args)
            if not (last and all(a is b for a, b in zip(last[0], asked))):
                last[:] = [asked, self.find(g, y, args, params)]
            return last[1][i]
        return (partial(rule, i) for i in (count() if self.arity is None else range(self.arity)))
