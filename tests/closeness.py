"""Two results are close if they differ by no more than rounding can explain; how much that is, the program itself says.

Where they differ at all, the program is run again with a little noise on every result that is rounded, also in each step of a
loop: an element may be off by a modest multiple of what noise moves that very element. Results that are exact stay as they are,
so that equal numbers stay equal; where no noise arrives, not a bit may differ.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.core.stage import Graph, Line, Symbol, look
from chainrule.core.type import is_float, typeof

EXACT = frozenset({
    "reshape", "broadcast_to", "permute_dims", "part", "embed", "concat", "stack", "cycle", "get_at", "put_part", "set_at",
    "max_at", "shifted", "where", "wins", "maximum", "minimum", "fmax", "fmin", "clip", "max", "min", "negative", "abs",
    "sign", "copysign", "positive", "stop_gradient", "cast", "integer_cast", "floor", "ceil", "round", "trunc", "sort",
    "one_hot", "relu", "relu6", "hardtanh", "threshold", "isfinite", "isinf", "isnan", "signbit", "max_windows",
    "max_scatter", "max_gather", "heaviside", "nextafter", "nan_to_num", "argmax", "argmin", "argsort", "argcummax",
    "argcummin", "searchsorted", "all", "any", "count_nonzero",
})
"""Operations that choose, move or cut numbers, and round none."""

TIES = frozenset({"maximum", "minimum", "fmax", "fmin", "clip", "max", "min", "relu", "relu6", "hardtanh", "max_windows"})
"""Operations that choose one of two zeros of different sign as they please."""

SUMS = frozenset({
    "sum", "mean", "cumsum", "matmul", "chain_matmul", "linear", "einsum", "chain_einsum", "vecdot", "convolution",
    "transposed_convolution", "kernel_convolution", "average_windows", "average_spread", "add_at",
})
"""Operations that add up products: what rounding does to them is in proportion to the sum of the magnitudes."""

CANCELLING = frozenset({"logaddexp", "logaddexp2"})
"""NumPy's own functions that add an argument to a logarithm, which may be nearly its opposite."""

NEAR_ONE = frozenset({"log_softmax", "softmax_cross_entropy", "logsumexp"})
"""Logarithms of sums that are 1 at least: a sum's last digit is one of the logarithm's, however near to 0 that is."""

NOISE = 4.0
"""In units in the last place."""

MANY = 256
"""Terms of a sum from which on its noise grows, as the root of their number."""

AVERAGES = frozenset({"mean", "average_windows", "average_spread"})
"""Sums that are divided by the number of their terms."""

MARGIN = 2.0
"""So many times as far as noise has moved an element may rounding move it."""

TRIES = 100, 1000
"""Noise that is tried where it seems to do nothing, and at most: where a program divides by what is nearly 0, most noise does
little and some does much."""

NOTHING = 1e-4
"""Where noise moves an element by less than this share of what is to be explained, it does nothing."""


# ---------------------------------------------------------------------------------------- noise
class Noise:
    """Random numbers; in every other try the same ones for equal numbers, which the same operation leaves equal."""

    def __init__(self, number: int) -> None:
        self.rng, self.alike = np.random.default_rng(number), number % 2 == 1

    def like(self, x: Any) -> np.ndarray:
        """A number between -1 and 1 for each element."""
        if not self.alike:
            return self.rng.uniform(-1, 1, np.shape(x))
        distinct, places = np.unique(x, return_inverse=True)
        return self.rng.uniform(-1, 1, distinct.shape)[places].reshape(np.shape(x))

    def chance(self, share: float) -> bool:
        return self.rng.random() < share


class Shaken(NamedTuple):
    """The body of a loop, run with noise."""

    body: Graph
    noise: Noise

    @property
    def inputs(self) -> list[Symbol]:
        return self.body.inputs

    @property
    def output(self) -> Any:
        return self.body.output

    def __call__(self, *args: Any) -> tuple[Any, ...]:
        return look(self.output, values(self.body, args, self.noise))


def replay(graph: Graph, inputs: list[Any], noise: Noise | None = None) -> list[np.ndarray]:
    """The outputs of a graph in NumPy; with `noise`, with some on everything that is rounded."""
    with np.errstate(all="ignore"):
        known = values(graph, inputs, noise)
    return [np.asarray(look(a, known)) for a in graph.output]


def values(graph: Graph, inputs: Any, noise: Noise | None) -> dict[Symbol, Any]:
    known = dict(zip(graph.inputs, inputs))
    for line in graph.lines:
        args = [look(a, known) for a in line.args]
        parts = plain(line, args) if noise is None else shaken(line, args, noise)
        known.update((t, np.asarray(x).item() if t.type.weak else x) for t, x in zip(line.targets, parts))
    return known


def plain(line: Line, args: list[Any], **replaced: Any) -> tuple[Any, ...]:
    out = line.prim.forward(*args, **line.params | replaced)
    return out if isinstance(out, tuple) else (out,)


def shaken(line: Line, args: list[Any], noise: Noise) -> tuple[Any, ...]:
    """The results of a line with the noise that its rounding may be.

    NumPy's own functions of elements are nearly exact, others nearly exact for arguments that are a little off.
    """
    name = line.prim.name
    if name == "scan":
        return plain(line, args, body=Shaken(line.params["body"], noise))
    if name in EXACT:
        return tuple(noisy(part, 0.0, noise) for part in plain(line, args)) if name in TIES else plain(line, args)
    if name in SUMS:
        return shaken_sums(line, args, noise)
    if name == "chain" or (isinstance(line.prim.forward, np.ufunc) and name not in CANCELLING):
        return tuple(noisy(part, part, noise) for part in plain(line, args))
    dtypes = [typeof(a).dtype for a in args if floating(a)]  # parts are computed in the narrower one
    least = 1.0 if name in NEAR_ONE else 0.0
    return tuple(noisy(part, np.maximum(np.abs(part), least) if floating(part) else part, noise, *dtypes)
                 for part in plain(line, [noisy(a, a, noise) for a in args]))


def shaken_sums(line: Line, args: list[Any], noise: Noise) -> tuple[Any, ...]:
    """Sums with noise that is theirs, or that of their terms: then those stay equal that differ in small terms alone."""
    if line.prim.name == "einsum" and noise.chance(0.5):
        return tuple(definite(part, line, args, noise) for part in plain(line, args))
    if noise.chance(0.4):
        return plain(line, [noisy(a, a, noise) for a in args])
    magnitudes = plain(line, [np.abs(a) if floating(a) else a for a in args])
    sizes = [grown * size for grown, size in zip(growth(line, args), magnitudes)]
    whole = noise.chance(0.5)  # rounded terms add up to a whole number of steps, often to 0 exactly
    return tuple(noisy(part, size, noise, whole=whole) for part, size in zip(plain(line, args), sizes))


def definite(part: Any, line: Line, args: list[Any], noise: Noise) -> Any:
    """A sum with infinity for NaN that no factor is: infinity is multiplied once, by the sum of what it eagerly meets one by one,
    0 and numbers of both signs among them."""
    if not floating(part):
        return part
    ones = [np.ones(np.shape(a)) for a in args]
    (terms,), (given,) = plain(line, ones), plain(line, [one + np.isnan(a) for one, a in zip(ones, args)])
    return np.where(np.isnan(part) & (given == terms), np.copysign(np.inf, noise.like(part)), part).astype(typeof(part).dtype)


def growth(line: Line, args: list[Any]) -> list[Any]:
    """How much larger the noise of sums is for the number of their terms: what is added is 1, and gives the number."""
    if line.prim.name in AVERAGES:
        return [many(np.size(args[0]) / max(np.prod(t.type.shape), 1)) for t in line.targets]
    return [many(np.abs(part)) for part in plain(line, [np.ones_like(a) if floating(a) else a for a in args])]


def many(terms: Any) -> Any:
    return np.maximum(1.0, np.sqrt(np.asarray(terms, np.float64) / MANY))


def floating(a: Any) -> bool:
    return a is not None and is_float(typeof(a).dtype)


def noisy(x: Any, size: Any, noise: Noise, *dtypes: np.dtype, whole: bool = False) -> Any:
    """What rounding to any of these dtypes could have made of x, in proportion to a size; 0 and NaN with any sign."""
    if not floating(x):
        return x
    dtype = typeof(x).dtype
    steps = np.abs(size) * max(np.finfo(d).eps for d in (dtype, *dtypes))
    steps = steps + np.where(np.equal(size, 0), 0.0, np.finfo(dtype).smallest_subnormal)
    units = NOISE * noise.like(x)
    moved = x + units * steps
    if whole:
        moved = np.where(steps > 0, np.rint(x / steps + units) * steps, x)
    moved = np.where(np.isfinite(x), moved, x)
    moved = np.where((moved == 0) | np.isnan(moved), np.copysign(moved, noise.like(x)), moved).astype(dtype)
    return moved.item() if type(x) is float else moved


# ---------------------------------------------------------------------------------------- judgement
def mismatch(graph: Graph, inputs: list[Any], expected: list[np.ndarray], found: list[np.ndarray]) -> str | None:
    """What is wrong with the results found, or None; `graph` is the program whose results are expected."""
    assert len(expected) == len(found)
    for k, (a, b, o) in enumerate(zip(expected, found, graph.output)):
        t = typeof(o)
        if (t.dtype, t.shape) != (a.dtype, a.shape):
            return f"output {k} is said to be {t}, and is {a.dtype}{list(a.shape)}"
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"output {k} should be {a.dtype}{list(a.shape)}, and is {b.dtype}{list(b.shape)}"
    moved = [np.zeros(a.shape) for a in expected]
    suspects = [k for k, (a, b) in enumerate(zip(expected, found)) if not same(a, b).all()]
    for tries in range(TRIES[1] if suspects else 0):
        noised = replay(graph, inputs, Noise(tries))
        moved = [np.maximum(w, distance(a, b)) for w, a, b in zip(moved, expected, noised)]
        suspects = [k for k in suspects if far(expected[k], found[k], moved[k]).any()]
        nothing = tries >= TRIES[0] and any(far(expected[k], found[k], moved[k] / NOTHING).any() for k in suspects)
        if nothing or not suspects:
            break
    return difference(suspects[0], expected[suspects[0]], found[suspects[0]], moved[suspects[0]]) if suspects else None


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.where(same(a, b), 0.0, np.abs(a.astype(float) - b.astype(float)))


def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a == b) | ((a != a) & (b != b))


def far(a: np.ndarray, b: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Where an array found is further from the one expected than noise explains.

    Infinity may stand for NaN: a sum is multiplied once by what eagerly multiplies each of its terms, 0 among them.
    """
    indefinite = np.isnan(a) & np.isinf(b) if floating(a) else False
    return ~same(a, b) & ~((distance(a, b) <= MARGIN * moved) & (moved > 0)) & ~np.isnan(moved) & np.logical_not(indefinite)


def difference(k: int, a: np.ndarray, b: np.ndarray, moved: np.ndarray) -> str:
    wrong = far(a, b, moved)
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (f"output {k} at {list(at)} should be {a[at]!r}, and is {b[at]!r}, where noise has moved it by {moved[at]:.3g}; "
            f"{int(wrong.sum())} of {a.size} elements differ")
