"""A tensor is the NumPy-like face of a recorded value: data, how it was made, and its gradient once there is one."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any, cast

import numpy as np

import chainrule.ops.face  # noqa: F401  puts operators and methods on every box
from chainrule.core.interpreter import NUMPY, Box, concrete, current, now, under
from chainrule.core.reverse import Recorded
from chainrule.core.source import line_of
from chainrule.core.type import Array
from chainrule.errors import ArgumentError, ImmutableError
from chainrule.ops.arithmetic import add, divide, multiply, subtract

from . import eager, sweeps
from .conversion import as_value, fresh, must_be_float
from .cuts import Cut, called
from .eager import EAGER, Contribution, Memo

NONE: dict[str, Any] = {}  # no options


class Tensor(Recorded):
    """An array that knows how it was made.

    Make one with `cr.tensor(data, requires_grad=True, name="w")`. Values are immutable: operations give new tensors.

    >>> import chainrule as cr
    >>> w = cr.tensor([2.0, -3.0], requires_grad=True, name="w")
    >>> loss = (w * w).sum()
    >>> loss.backward()
    >>> w.grad
    tensor([ 4., -6.])
    """

    __slots__ = ("code", "cut", "instruction", "memo")
    code: CodeType | None
    cut: Cut | None  # where it was cut from the graph, if it was
    instruction: int
    memo: Memo | None

    # ---------------------------------------------------------------- what it is
    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor, or through it."""
        return self.owner is EAGER

    @property
    def is_leaf(self) -> bool:
        """Whether it was given, not computed from tensors that require gradients."""
        return self.prim is None

    @property
    def name(self) -> str | None:
        return self.memo.name if self.memo else None

    @name.setter
    def name(self, name: str | None) -> None:
        self.remember().name = name

    @property
    def label(self) -> str:
        """How messages call it: its name, or its type and the operation that made it."""
        return called(self.name, self.type, self.prim)

    @property
    def line(self) -> str | None:
        """`file:line` of the user's code that computed it."""
        return line_of(self.code, self.instruction) if self.code else None

    def remember(self) -> Memo:
        """The notes on this tensor, begun if there are none."""
        if self.memo is None:
            self.memo = Memo()
        return self.memo

    # ---------------------------------------------------------------- data
    @property
    def data(self) -> Tensor:
        """The same values without the history. On a leaf, assigning gives it new values of the same shape and dtype;
        what was computed from the old ones keeps them."""
        return cast(Tensor, eager.detached(self, "data"))

    @data.setter
    def data(self, value: Array) -> None:
        if self.prim is not None:
            raise ImmutableError(f"{self.label} was computed, so its values follow from others. Assign to the leaf they "
                                 "come from, or make a new tensor with cr.tensor(values).")
        now().meet(self)
        new = as_value(value, self.dtype)
        if new.shape != self.shape:
            raise ArgumentError(f"{self.label}: new values of shape {new.shape} do not fit; the shape of a tensor is fixed.")
        self.value = new

    def numpy(self) -> np.ndarray[Any, Any]:
        """The values as a read-only NumPy array, without a copy; what is computed from it is not recorded."""
        view = self.concrete("numpy()").view()
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """The one value as a Python number."""
        if self.size != 1:
            raise ArgumentError(f"item: {self.label} has {self.size} elements, not one. Index it first, or use .tolist().")
        return self.concrete("item()").item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self.concrete("tolist()").tolist()

    def concrete(self, use: str) -> np.ndarray[Any, Any]:
        now().meet(self)
        if self.owner is EAGER:
            eager.note_copy(use, self)
        return concrete(self.value, use)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        view = self.numpy()
        return np.array(view, dtype=dtype) if copy or dtype not in (None, view.dtype) else view

    def __dlpack__(self, **options: Any) -> Any:
        # a copy: the consumer may write, and a value somebody saved for a sweep must not change
        return np.array(self.value).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, int]:
        return np.empty(()).__dlpack_device__()

    # ---------------------------------------------------------------- gradients
    def backward(self, gradient: Array | None = None, *, create_graph: bool = False, retain_graph: bool | None = None,
                 inputs: Any = None) -> None:
        """Sweep back from this tensor and add the gradients to `.grad` of every leaf behind it.

        `gradient` weighs the elements, in the shape of this tensor; a tensor of one element needs none. With
        `create_graph` the gradients can be differentiated again. `inputs` restricts the sweep's result to these tensors.
        A graph lives as long as its values do, so it can be swept any number of times; `retain_graph` is accepted for
        PyTorch's sake and changes nothing.

        Raises NonScalarError, NoPathError, ShapeError.
        """
        sweeps.backward(self, gradient, create_graph=create_graph, inputs=inputs)

    @property
    def grad(self) -> Tensor | None:
        """The sum of the gradients of all sweeps so far, or None before the first.

        Of an intermediate value too, without having asked before the sweep, as long as the loss is still referenced.
        """
        return cast("Tensor | None", sweeps.gradient_of(self))

    @grad.setter
    def grad(self, value: Array | None) -> None:
        sweeps.set_gradient(self, value)

    @property
    def grad_by_sweep(self) -> list[Contribution]:
        """What each sweep contributed to `.grad`, oldest first: its number, its root, its gradient."""
        return sweeps.contributions(self)

    def retain_grad(self) -> None:
        """Keep the gradient of this intermediate value at each sweep, even when the loss is dropped afterwards."""
        sweeps.retained[self.serial] = self

    def register_hook(self, hook: Callable[[Tensor], Array | None]) -> sweeps.Handle:
        """Call `hook(gradient)` at each sweep, when this tensor's gradient is complete; what it returns replaces it."""
        return sweeps.Handle(self, hook)

    def detach(self) -> Tensor:
        """The same values, cut from the graph: no gradient flows back through the result."""
        return cast(Tensor, eager.detached(self, "detach()"))

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Mark (or unmark) this leaf as one that wants gradients."""
        if self.prim is not None:
            raise ArgumentError(f"requires_grad_: {self.label} was computed; only a leaf can be marked. Use .detach() first.")
        if requires_grad:
            must_be_float(self.dtype, "requires_grad_")
        self.owner = EAGER if requires_grad else NUMPY
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.prim is not None:
            raise ArgumentError(f"copy.deepcopy: {self.label} was computed, and a copy would lose its history. "
                                "Use .detach() first.")
        copied = tensor(self.value, requires_grad=self.requires_grad, name=self.name)
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> Any:
        return _rebuild, (np.asarray(self.value), self.requires_grad and self.is_leaf, self.name)

    # ---------------------------------------------------------------- the commonest operators, by the shortest way
    def __add__(self, other: Array) -> Array:
        return EAGER.binary(add, self, other, NONE) if current.get(EAGER) is EAGER else add(self, other)

    def __sub__(self, other: Array) -> Array:
        return EAGER.binary(subtract, self, other, NONE) if current.get(EAGER) is EAGER else subtract(self, other)

    def __mul__(self, other: Array) -> Array:
        return EAGER.binary(multiply, self, other, NONE) if current.get(EAGER) is EAGER else multiply(self, other)

    def __truediv__(self, other: Array) -> Array:
        return EAGER.binary(divide, self, other, NONE) if current.get(EAGER) is EAGER else divide(self, other)

    def __repr__(self) -> str:
        if isinstance(self.value, Box):
            return f"<{self.value} being staged>"
        body = np.array2string(np.asarray(self.value), separator=", ", prefix="tensor(")
        notes = [] if self.dtype in (np.float32, np.int64, np.bool_) else [f"dtype={self.dtype}"]
        if self.prim is not None:
            notes.append(f"from={self.prim.name}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        if self.name:
            notes.append(f"name={self.name!r}")
        return f"tensor({', '.join([body, *notes])})"


def tensor(data: Any, dtype: Any = None, *, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """A tensor with a copy of `data`: numbers, nested lists, a NumPy array, or anything with DLPack.

    Python floats become float32; arrays keep their dtype. `requires_grad` makes it a leaf that collects gradients, and needs
    a floating dtype. `name` is how messages, graphs and derivations call it.

    >>> import chainrule as cr
    >>> cr.tensor([1.0, 2.0]).dtype
    dtype('float32')
    """
    array = fresh(data, dtype)
    if requires_grad:
        must_be_float(array.dtype, "tensor")
    made: Tensor = eager.constant(array)
    if requires_grad:
        made.owner = EAGER
    if name is not None:
        made.name = name
    return made


def _rebuild(value: np.ndarray[Any, Any], requires_grad: bool, name: str | None) -> Tensor:
    return tensor(value, requires_grad=requires_grad, name=name)


@contextmanager
def no_grad() -> Iterator[None]:
    """Within the block nothing is recorded; a tensor computed there is cut from the graph.

    >>> import chainrule as cr
    >>> w = cr.tensor(2.0, requires_grad=True)
    >>> with cr.no_grad():
    ...     y = w * 3.0
    >>> y.requires_grad
    False
    """
    with under(eager.Unrecorded()):
        yield


eager.wear(Tensor)
