"""Every operation, its gradient and its second gradient give the same results compiled as in NumPy.

Many operations are compiled as one program. Where that fails, they are compiled one by one to find out which it is.
"""
from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.passes.broadcasts import ELEMENTWISE
from chainrule.core.primitive import Primitive, Sample
from chainrule.core.stage import Graph, stage
from chainrule.core.type import is_float, typeof
from chainrule.ops import ALL
from closeness import mismatch, replay
from compiling import improved, run_together
from laws import canonical, parts, rules_of, samples

pytest.importorskip("llvmlite")

F32, F64 = np.dtype("float32"), np.dtype("float64")
SIZES = (1, 3, 17, 1000, 0)
NAMES = {prim.name: prim for prim in ALL}


@dataclass
class Call:
    """An operation on some arrays, with its derivatives up to an order."""

    prim: Primitive
    args: tuple[Any, ...]
    params: dict[str, Any]
    order: int

    def __str__(self) -> str:
        return f"{self.prim.name}({', '.join('None' if a is None else str(typeof(a)) for a in self.args)}, {self.params})"

    def inputs(self) -> list[np.ndarray]:
        return [np.asarray(a) for a in self.args if a is not None]

    def graph(self) -> Graph:
        return stage(self.whole, *(typeof(x) for x in self.inputs()))

    def whole(self, *given: Any) -> tuple[Any, ...]:
        """The results, the gradients of all arguments that have one, and the gradients of those."""
        supply = iter(given)
        args = [None if a is None else next(supply) for a in self.args]
        moving = [i for i, (a, rule) in enumerate(zip(args, rules_of(self.prim, len(args))))
                  if rule and a is not None and is_float(typeof(a).dtype)]
        out = list(parts(self.prim(*args, **self.params)))
        if not moving or not self.order:
            return tuple(out)

        def total(values: list[Any]) -> Any:
            full = list(args)
            for i, value in zip(moving, values):
                full[i] = value
            return weighed(self.prim(*full, **self.params))

        def slant(values: list[Any]) -> Any:
            return sum((cr.sum(g * weights(g, 3)) for g in cr.grad(total)(values)), start=0.0)

        if any(is_float(typeof(y).dtype) for y in out):
            values = [args[i] for i in moving]
            out += cr.grad(total)(values)
            if self.order > 1:
                out += cr.grad(slant)(values)
        return tuple(out)


def weights(y: Any, seed: int) -> np.ndarray:
    t = typeof(y)
    return np.random.default_rng(seed).uniform(0.5, 1.5, t.shape).astype(t.dtype)


def weighed(out: Any) -> Any:
    """One number that depends on every element of the result, each with a weight and a curvature of its own."""
    return sum((cr.sum(cr.sin(y) * weights(y, k)) for k, y in enumerate(parts(out)) if is_float(typeof(y).dtype)), start=0.0)


def in_dtype(args: tuple[Any, ...], dtype: np.dtype) -> tuple[Any, ...]:
    return tuple(a if a is None or not is_float(typeof(a).dtype) else np.asarray(a, dtype) for a in args)


def sample_call(prim: Primitive, sample: Sample, dtype: np.dtype, order: int) -> Call:
    args, params = canonical(prim, Sample(in_dtype(sample.args, dtype), sample.params))
    return Call(prim, args, params, order if sample.smooth else min(order, 1))


# ---------------------------------------------------------------------------------------- sizes
def elementwise_calls(prim: Primitive, shapes: list[tuple[int, ...]], dtype: np.dtype, order: int) -> Call:
    """The operation on arrays of these shapes, with the numbers of its first sample."""
    args, params = canonical(prim, samples(prim)[0])
    full = tuple(a if a is None else np.resize(np.ravel(a), shape) for a, shape in zip(args, shapes))
    return Call(prim, in_dtype(full, dtype), params, order)


def folded_calls(dtype: np.dtype, order: int) -> Iterator[Call]:
    """Reductions, and operations along an axis, for every size."""
    rng = np.random.default_rng(5)
    for n in SIZES:
        for shape, axis in (((n,), 0), ((3, n), 1), ((n, 3), 0)):
            x = rng.uniform(-2, 2, shape).astype(dtype)
            for name in ("sum", "mean", "max", "min", "logsumexp", "any", "all", "count_nonzero", "var"):
                if n or name in ("sum", "any", "all", "count_nonzero"):
                    yield called(name, x, order, axis=axis)
            for name in ("softmax", "log_softmax", "cumsum", "sort", "argsort", "argmax", "centred"):
                if n or name in ("cumsum", "sort"):
                    yield called(name, x, order, axis=axis)


def product_calls(dtype: np.dtype, order: int) -> Iterator[Call]:
    """Products of matrices of every size."""
    rng = np.random.default_rng(6)
    sizes = ((1, 1, 1), (3, 17, 1), (17, 3, 5), (17, 17, 17), (1, 1000, 3), (1000, 3, 1), (3, 1, 1000), (0, 3, 2), (3, 0, 2))
    for m, k, n in sizes:
        a, b, w = (rng.normal(size=shape).astype(dtype) for shape in ((m, k), (k, n), (n, k)))
        for name in ("matmul", "chain_matmul"):
            yield Call(NAMES[name], (a, b), {}, order)
        yield Call(NAMES["linear"], (a, w, rng.normal(size=n).astype(dtype)), {}, order)
        yield Call(NAMES["einsum"], (a, b), {"subscripts": "ij,jk->ki"}, order)


def called(name: str, x: np.ndarray, order: int, **params: Any) -> Call:
    return sample_call(NAMES[name], Sample((x,), params), x.dtype, order)


# ---------------------------------------------------------------------------------------- checking
def check(calls: list[Call], together: int = 40) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of empty means and the like
        wrong = [text for i in range(0, len(calls), together) for text in failures(calls[i:i + together])]
    assert not wrong, f"{len(wrong)} of {len(calls)}:\n" + "\n\n".join(wrong[:12])


def failures(calls: list[Call]) -> list[str]:
    """What goes wrong with these calls, compiled together; alone, where together they do not compile."""
    staged = [call.graph() for call in calls]
    better = [improved(graph) for graph in staged]
    inputs = [call.inputs() for call in calls]
    try:
        found = run_together(better, inputs)
    except Exception as error:
        if len(calls) == 1:
            return [f"{calls[0]}: {type(error).__name__}: {error}\n{better[0]}"]
        return [text for call in calls for text in failures([call])] or [f"only together: {list(map(str, calls))}: {error}"]
    wrong = [mismatch(a, x, replay(a, x), y) for a, x, y in zip(staged, inputs, found)]
    return [f"{call}: {text}\n{graph}" for call, text, graph in zip(calls, wrong, better) if text]


SIZED = [prim for prim in ELEMENTWISE if prim.name != "prelu"]  # whose weights stand along axis 1, whatever broadcasting says
GROUPS = [ALL[i:i + 16] for i in range(0, len(ALL), 16)]
by_group = pytest.mark.parametrize("prims", GROUPS, ids=lambda prims: f"{prims[0].name} to {prims[-1].name}")
Checks = Callable[..., None]


@by_group
def test_every_operation_and_its_derivatives_agree_on_its_samples(prims):
    check([sample_call(prim, sample, F32, 2) for prim in prims for sample in samples(prim)[:1]]
          + [sample_call(prim, sample, F64, 1) for prim in prims for sample in samples(prim)[1:2]])


@by_group
def test_elementwise_operations_agree_for_every_size(prims):
    shapes = [[(17,)] * 3, [(0,)] * 3, [(3, 1), (17,), ()], [(1000,), (1,), ()]]
    check([elementwise_calls(prim, shape, dtype, 1) for prim in prims if prim in SIZED
           for shape, dtype in zip(shapes, (F32, F32, F64, F32))])


def test_reductions_agree_for_every_size():
    check(list(folded_calls(F32, 1)))


def test_products_agree_for_every_size():
    check(list(product_calls(F32, 1)))


@pytest.mark.slow
@by_group
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_every_operation_and_its_derivatives_agree_on_all_samples(prims, dtype):
    check([sample_call(prim, sample, dtype, 2) for prim in prims for sample in samples(prim)])


@pytest.mark.slow
@by_group
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_elementwise_operations_agree_in_all_derivatives_for_every_size(prims, dtype):
    shapes = [*([(n,)] * 3 for n in SIZES), [(3, 1), (17,), ()], [(17,), (1, 1), (3, 1)], [(), (3,), (17, 1)],
              [(0, 3), (3,), (1,)], [(1000,), (1,), ()]]
    check([elementwise_calls(prim, shape, dtype, 2) for prim in prims if prim in SIZED for shape in shapes])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_reductions_and_products_agree_in_all_derivatives_for_every_size(dtype):
    check([*folded_calls(dtype, 2), *product_calls(dtype, 2)])
