"""A generator is a stream of random numbers; the same seed gives the same numbers, on every machine.

The functions here draw from the generator they are given, or from the common one, which starts from seed 0 in every process:
a program that says nothing of seeds repeats itself.

>>> import chainrule as cr
>>> cr.random.seed(7)
>>> a = cr.random.rand(3)
>>> cr.random.seed(7)
>>> (a == cr.random.rand(3)).tolist()
[True, True, True]
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .conversion import as_value
from .core.interpreter import Box, now
from .core.type import Array, is_float, normal_shape, typeof
from .errors import ArgumentError, DTypeError
from .ops.dropout import drop
from .ops.indexing import getitem
from .tensor import Tensor, tensor

State = dict[str, Any]
Source = np.random.Generator


class Generator:
    """A stream of random numbers from a seed: NumPy's PCG64, whose state can be kept in a checkpoint.

    >>> import chainrule as cr
    >>> g = cr.random.Generator(5)
    >>> state = g.get_state()
    >>> first = cr.random.randn(2, generator=g)
    >>> g.set_state(state)
    >>> (first == cr.random.randn(2, generator=g)).tolist()
    [True, True]
    """

    def __init__(self, seed: int = 0) -> None:
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Generator:
        """Start again from this seed, a whole number from 0 up."""
        if seed < 0:
            raise ArgumentError(f"manual_seed: a seed is a whole number from 0 up, not {seed}.")
        self.source = Source(np.random.PCG64(seed))
        return self

    def get_state(self) -> State:
        """Where the stream stands: a dict of strings and whole numbers, fit for JSON."""
        return dict(self.source.bit_generator.state)

    def set_state(self, state: State) -> None:
        """Go on from where the stream stood. Raises ArgumentError if this is no state of such a generator."""
        try:
            self.source.bit_generator.state = state
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise ArgumentError(f"set_state: this is no state of a generator: {error}. Give what get_state() returned.") from None


common = Generator(0)


def seed(seed: int) -> None:
    """Start the common generator again from this seed."""
    common.manual_seed(seed)


manual_seed = seed


def get_state() -> State:
    """Where the common generator stands; see `Generator.get_state`."""
    return common.get_state()


def set_state(state: State) -> None:
    """Let the common generator go on from where it stood."""
    common.set_state(state)


def source_of(generator: Generator | Source | None) -> Source:
    """NumPy's generator behind one of ours, itself, or the common one."""
    if generator is None:
        return common.source
    return generator.source if isinstance(generator, Generator) else generator


def sizes(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape given as numbers, or as one sequence."""
    return normal_shape(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else normal_shape(shape)


def drawn(generator: Generator | Source | None, draw: Callable[[Source], Any]) -> Array:
    """What `draw` takes from the source behind the generator; a staged program takes it anew at each run."""
    source = source_of(generator)
    return now().draw(source, lambda: draw(source))


def made(values: Array, dtype: Any, requires_grad: bool = False) -> Tensor:
    return tensor(values if isinstance(values, Box) else np.asarray(values), dtype, requires_grad=requires_grad)


# ---------------------------------------------------------------------------------------- numbers
def rand(*shape: Any, dtype: Any = np.float32, generator: Generator | Source | None = None,
         requires_grad: bool = False) -> Tensor:
    """Numbers uniform in [0, 1), of this shape."""
    return uniform(0.0, 1.0, sizes(shape), dtype=dtype, generator=generator, requires_grad=requires_grad)


def randn(*shape: Any, dtype: Any = np.float32, generator: Generator | Source | None = None,
          requires_grad: bool = False) -> Tensor:
    """Normal numbers of mean 0 and variance 1, of this shape."""
    return normal(0.0, 1.0, sizes(shape), dtype=dtype, generator=generator, requires_grad=requires_grad)


def uniform(low: float = 0.0, high: float = 1.0, size: Any = (), *, dtype: Any = np.float32,
            generator: Generator | Source | None = None, requires_grad: bool = False) -> Tensor:
    """Numbers uniform in [low, high), of shape `size`."""
    numbers = drawn(generator, lambda source: source.random(normal_shape(size), dtype=drawing(dtype)))
    return made(low + (high - low) * numbers if (low, high) != (0.0, 1.0) else numbers, dtype, requires_grad)


def normal(mean: float = 0.0, std: float = 1.0, size: Any = (), *, dtype: Any = np.float32,
           generator: Generator | Source | None = None, requires_grad: bool = False) -> Tensor:
    """Normal numbers of this mean and standard deviation, of shape `size`."""
    numbers = drawn(generator, lambda source: source.standard_normal(normal_shape(size), dtype=drawing(dtype)))
    return made(mean + std * numbers if (mean, std) != (0.0, 1.0) else numbers, dtype, requires_grad)


def drawing(dtype: Any) -> Any:
    """The dtype in which NumPy draws numbers for this one."""
    if not is_float(dtype):
        raise DTypeError(f"random: real numbers have a floating dtype, not {np.dtype(dtype)}. For whole numbers, use randint.")
    return np.float32 if np.dtype(dtype) == np.float32 else np.float64


def randint(low: int, high: int | None = None, size: Any = (), *, dtype: Any = np.int64,
            generator: Generator | Source | None = None) -> Tensor:
    """Whole numbers from `low` to `high - 1` (with one bound: from 0), each as likely, of shape `size`."""
    low, high = (0, low) if high is None else (low, high)
    if low >= high:
        raise ArgumentError(f"randint: there is no whole number from {low} to {high - 1}. The upper bound is not included.")
    return made(drawn(generator, lambda source: source.integers(low, high, normal_shape(size))), dtype)


def permutation(x: Any, *, generator: Generator | Source | None = None) -> Tensor:
    """The numbers from 0 to `x - 1` in random order; or the rows of an array in random order."""
    if isinstance(x, int):
        return tensor(drawn(generator, lambda source: source.permutation(x)))
    order = drawn(generator, lambda source: source.permutation(typeof(x).shape[0]))
    return tensor(getitem(x, order))


def bernoulli(p: Array, size: Any = None, *, dtype: Any = np.float32, generator: Generator | Source | None = None) -> Tensor:
    """1 with chance `p`, else 0; `p` is a number, with a `size`, or an array with a chance for each."""
    shape = typeof(p).shape if size is None else normal_shape(size)
    chances = as_value(p)
    if not isinstance(chances, Box) and ((chances < 0) | (chances > 1)).any():
        raise ArgumentError("bernoulli: a chance is a number from 0 to 1.")
    return made(drawn(generator, lambda source: source.random(shape)) < chances, dtype)


# ---------------------------------------------------------------------------------------- noise in networks
def dropout(input: Array, p: float = 0.5, training: bool = True, *, generator: Generator | Source | None = None) -> Array:
    """Each element 0 with chance `p`, else over `1 - p`; when not training, the input itself.

    Inside `vmap` one mask serves all examples. Raises ArgumentError for a `p` that is no chance.

    >>> import chainrule as cr, numpy as np
    >>> cr.dropout(np.ones(3), training=False)
    array([1., 1., 1.])
    """
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout: p is the chance to be dropped, from 0 to 1, not {p}.")
    if not training or p == 0:
        return input
    shape = typeof(input).shape
    numbers = drawn(generator, lambda source: source.random(shape, dtype=np.float32))
    return drop(input, numbers >= p, p=p)
