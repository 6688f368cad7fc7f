"""Two results are close if they differ by no more than rounding can explain; how much that is, the program itself says.

A first look allows a few units in the last place. Where that is not enough, the program is run again with a little noise on
every result that is rounded: what the noise moves, rounding may move, too. Results that are exact stay as they are, so that
equal numbers stay equal.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.stage import Graph, Line, look
from chainrule.core.type import is_float, typeof

EXACT = frozenset({
    "reshape", "broadcast_to", "permute_dims", "part", "embed", "concat", "stack", "cycle", "get_at", "put_part", "set_at",
    "max_at", "shifted", "where", "wins", "maximum", "minimum", "fmax", "fmin", "clip", "max", "min", "negative", "abs",
    "sign", "copysign", "positive", "stop_gradient", "cast", "integer_cast", "floor", "ceil", "round", "trunc", "sort",
    "one_hot", "relu", "relu6", "hardtanh", "threshold", "isfinite", "isinf", "isnan", "signbit", "max_windows",
    "max_scatter", "max_gather", "heaviside", "nextafter", "nan_to_num",
})
"""Operations that choose, move or cut numbers, and round none."""

TIES = frozenset({"maximum", "minimum", "fmax", "fmin", "clip", "max", "min", "relu", "relu6", "hardtanh", "max_windows"})
"""Operations that choose one of two zeros of different sign as they please."""

SUMS = frozenset({
    "sum", "mean", "cumsum", "matmul", "chain_matmul", "linear", "einsum", "chain_einsum", "vecdot", "convolution",
    "transposed_convolution", "kernel_convolution", "average_windows", "average_spread", "add_at",
})
"""Operations that add up products: what rounding does to them is in proportion to the sum of the magnitudes."""

# In a program with both, everything is as exact as float32 is: NumPy's gates compute parts of themselves in the narrower dtype.
RELATIVE = {np.dtype("float32"): 1e-5, np.dtype("float64"): 1e-11}
NOISE = 4.0
"""In units in the last place."""

MARGIN = 10.0
"""So many times as far as noise has moved a result may rounding move it."""


def replay(graph: Graph, inputs: list[Any], rng: np.random.Generator | None = None) -> list[np.ndarray]:
    """The outputs of a graph in NumPy; with `rng`, with noise on everything that is rounded."""
    known = dict(zip(graph.inputs, inputs))
    with np.errstate(all="ignore"):
        for line in graph.lines:
            args = [look(a, known) for a in line.args]
            out = line.prim.forward(*args, **line.params)
            parts = out if isinstance(out, tuple) else (out,)
            if rng is not None:
                parts = shaken(line, args, parts, rng)
            known.update(zip(line.targets, parts))
    return [np.asarray(look(a, known)) for a in graph.output]


def shaken(line: Line, args: list[Any], parts: tuple[Any, ...], rng: np.random.Generator) -> tuple[Any, ...]:
    """The results of a line with the noise that its rounding may be."""
    name = line.prim.name
    if name in SUMS:
        sizes = line.prim.forward(*(np.abs(a) if a is not None and is_float(typeof(a).dtype) else a for a in args), **line.params)
        return (noisy(parts[0], sizes, rng),)
    if name == "scan":  # nobody looks into a loop
        return tuple(noisy(part, 8 * np.max(np.abs(part), initial=0), rng) for part in parts)
    if name in EXACT:
        return tuple(noisy(part, 0.0, rng) for part in parts) if name in TIES else parts
    return tuple(noisy(part, part, rng) for part in parts)


def noisy(x: Any, size: Any, rng: np.random.Generator) -> Any:
    """What rounding could have made of x, in proportion to a size; a zero may also have the other sign."""
    x = np.asarray(x)
    if not is_float(x.dtype):
        return x
    fine = np.finfo(x.dtype)
    steps = size * fine.eps + np.where(size == 0, 0.0, fine.smallest_subnormal)
    moved = np.asarray(x + NOISE * steps * rng.uniform(-1, 1, x.shape), x.dtype)
    moved = np.where(np.isfinite(x), moved, x)
    return np.where(moved == 0, np.copysign(x, rng.uniform(-1, 1, x.shape)).astype(x.dtype), moved)


def nearly(a: np.ndarray, b: np.ndarray, rtol: float) -> np.ndarray:
    """Where two arrays are equal but for a few units in the last place (and what is small beside the largest element)."""
    if not is_float(a.dtype):
        return a == b
    finite = np.abs(a[np.isfinite(a)])
    return np.isclose(a, b, rtol=rtol, atol=rtol * float(finite.max(initial=0)), equal_nan=True)


def mismatch(graphs: list[Graph], inputs: list[Any], expected: list[np.ndarray], found: list[np.ndarray]) -> str | None:
    """What is wrong with the results found, or None. `graphs` are programs for the same, whose rounding counts."""
    assert len(expected) == len(found)
    single = any(t.type.dtype == np.float32 for targets in (graphs[0].inputs, *(line.targets for line in graphs[0].lines))
                 for t in targets)
    rtol = RELATIVE[np.dtype("float32" if single else "float64")]
    for k, (a, o) in enumerate(zip(expected, graphs[0].output)):
        t = typeof(o)
        if (t.dtype, t.shape) != (a.dtype, a.shape):
            return f"output {k} is said to be {t}, and is {a.dtype}{list(a.shape)}"
    suspects = []
    for k, (a, b) in enumerate(zip(expected, found)):
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"output {k} should be {a.dtype}{list(a.shape)}, and is {b.dtype}{list(b.shape)}"
        if not nearly(a, b, rtol).all():
            suspects.append(k)
    for tries in (4, 60) if suspects else ():
        allowed = spread(graphs, inputs, tries)
        wrong = [f"output {k} {text}" for k in suspects if (text := difference(expected[k], found[k], rtol, allowed[k]))]
        if not wrong:
            return None
    return wrong[0] if suspects else None


def difference(a: np.ndarray, b: np.ndarray, rtol: float, allowed: np.ndarray) -> str | None:
    """Where an array found is further from the one expected than allowed."""
    with np.errstate(all="ignore"):
        far = ~nearly(a, b, rtol) & ~(np.abs(a.astype(float) - b.astype(float)) <= MARGIN * allowed)
        sizes = np.abs(a.astype(float))
        far &= ~(allowed >= 0.3 * sizes[np.isfinite(sizes)].max(initial=0.0)) | (allowed == 0)  # else no digit is certain
    far &= ~np.isnan(allowed)  # there, noise turns numbers to NaN, or NaN to numbers
    if not far.any():
        return None
    at = tuple(int(i) for i in np.argwhere(far)[0])
    return f"at {list(at)} should be {a[at]!r}, and is {b[at]!r}; {int(far.sum())} of {a.size} elements differ"


def spread(graphs: list[Graph], inputs: list[Any], tries: int) -> list[np.ndarray]:
    """How far noise moves each element of the outputs; NaN where it decides whether there is a number.

    Where a program divides by what is nearly 0, most noise does little and some does much: it takes many tries to see that.
    """
    widest: list[Any] = []
    for graph in graphs:
        plain = replay(graph, inputs)
        for k in range(tries):
            noised = replay(graph, inputs, np.random.default_rng(k))
            with np.errstate(all="ignore"):
                moved = [np.where(same(a, b), 0.0, np.abs(a.astype(float) - b.astype(float))) for a, b in zip(plain, noised)]
            widest = [np.maximum(a, b) for a, b in zip(widest, moved)] if widest else moved
    return widest


def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a == b) | ((a != a) & (b != b))
