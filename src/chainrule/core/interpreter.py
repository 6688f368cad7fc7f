"""An interpreter says what it means to apply a primitive; the current one is asked at every operation."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import numpy as np

from chainrule.errors import ChainruleError, EscapedError, ShapeError

from .type import Array, Shape, Type, typeof


class Interpreter:
    """Says what it means to apply a primitive; rules of the primitive run under `parent`."""

    __slots__ = ("closed", "parent")
    name: ClassVar[str] = "interpreter"

    def __init__(self, parent: Interpreter | None = None) -> None:
        self.parent: Interpreter = parent or now()
        self.closed = False

    def apply(self, prim: Any, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        raise NotImplementedError

    def owns(self, x: Array) -> bool:
        """Whether `x` is a box of this very interpreter: the test that keeps nested derivatives apart."""
        return isinstance(x, Box) and x.owner is self

    def meet(self, holder: Any) -> None:
        """A tensor or an optimizer, whose numbers outlive this computation, is about to be read or changed."""
        if self.parent is not self:
            self.parent.meet(holder)

    def draw(self, source: np.random.Generator, drawn: Callable[[], Array]) -> Array:
        """The random numbers that `drawn` takes from `source`."""
        return drawn() if self.parent is self else self.parent.draw(source, drawn)


class Box:
    """A value that only its `owner` may look into. Operators and methods are put on by `ops.face`."""

    __slots__ = ("owner",)
    owner: Interpreter

    @property
    def type(self) -> Type:
        raise NotImplementedError

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def size(self) -> int:
        return self.type.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.type.dtype

    __hash__ = object.__hash__

    def concrete(self, use: str) -> np.ndarray[Any, Any]:
        """The numbers, if there are any yet; `use` says in messages what they are wanted for."""
        raise NotImplementedError

    def __copy__(self) -> Box:
        return self  # values do not change, and a second box would have no history

    def __deepcopy__(self, memo: dict[int, Any]) -> Box:
        return self

    def __repr__(self) -> str:
        return f"<{self.type} inside {self.owner.name}>"


class Numpy(Interpreter):
    """The bottom of every stack: plain arrays in, plain arrays out."""

    __slots__ = ()
    name = "numpy"

    def __init__(self) -> None:
        self.parent = self
        self.closed = False

    def apply(self, prim: Any, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        try:
            return prim.forward(*args, **params)
        except ChainruleError:
            raise
        except (ValueError, TypeError, IndexError, np.linalg.LinAlgError) as error:
            raise failure(prim, args, params, error) from error


NUMPY = Numpy()
ground: Interpreter = NUMPY
"""Who interprets where no transform is active; `tensor.py` puts the eager interpreter here."""
current: ContextVar[Interpreter] = ContextVar("interpreter")


def now() -> Interpreter:
    """The interpreter in charge."""
    return current.get(ground)


def interpreter_of_users() -> Interpreter:
    """Who interprets a user's own code that a sweep calls: NumPy alone does not know tensors."""
    here = now()
    return ground if here is NUMPY else here


def settle(interpreter: Interpreter) -> None:
    """Make `interpreter` the one in charge wherever no transform is active."""
    global ground
    ground = interpreter


class under:
    """Put an interpreter in charge for the length of a `with` block."""

    __slots__ = ("interpreter", "token")

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter

    def __enter__(self) -> Interpreter:
        self.token = current.set(self.interpreter)
        return self.interpreter

    def __exit__(self, *error: object) -> None:
        current.reset(self.token)


@contextmanager
def entered(interpreter: Interpreter) -> Iterator[Interpreter]:
    """Like `under`, and close the interpreter at the end: its boxes are refused from then on."""
    with under(interpreter):
        try:
            yield interpreter
        finally:
            interpreter.closed = True


def failure(prim: Any, args: tuple[Array, ...], params: dict[str, Any], error: Exception) -> ChainruleError:
    """Say why `prim` failed on `args`: an escaped value, then what its type rule says, then NumPy's own words."""
    for a in args:
        if isinstance(a, Box):
            return escaped(a, prim.name)
    types = [typeof(a) for a in args if a is not None]
    try:
        prim.result(*(None if a is None else typeof(a) for a in args), **params)
    except ChainruleError as better:
        return better
    except Exception:
        pass
    kind = ShapeError if isinstance(error, ValueError | IndexError) else ChainruleError
    options = "".join(f", {k}={v!r}" for k, v in params.items())
    return kind(f"{prim.name}({', '.join(map(str, types))}{options}): {error}")


def concrete(x: Array, use: str) -> np.ndarray[Any, Any]:
    """The numbers behind any value, to branch on or to read off a shape: what depends on them is not differentiated."""
    return x.concrete(use) if isinstance(x, Box) else np.asarray(x)


def escaped(x: Box, where: str) -> EscapedError:
    """The error for a box met where its owner is not at work."""
    return EscapedError(
        f"{where}: a value of type {x.type} outlived the {x.owner.name} transform that made it. "
        "It was probably stored in a variable outside the function. Return it from the function instead"
        " (value_and_grad and vjp hand back values), or store cr.stop_gradient(value).")
