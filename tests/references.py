"""A reference is what an operation and its slopes truly are, in arbitrary precision (mpmath); one line for each operation.

A kink or a pole has no reference: what happens there is a convention, and other tests hold it.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp

ANY = (-float("inf"), float("inf"))
POSITIVE = (0.0, float("inf"))


class Reference(NamedTuple):
    """The true function, its true slopes (None: the operation has no slope there), and where to compare.

    `params` are the options of the operation; `domain` has one interval for each argument; `near` names points to look around
    closely, `zeros` those where the slope crosses zero: next to them, errors are counted in units of the number 1, because
    the terms of the slope are of that size.
    """

    value: Callable[..., Any]
    slopes: tuple[Callable[..., Any] | None, ...]
    params: dict[str, Any]
    domain: tuple[tuple[float, float], ...]
    near: tuple[float, ...]
    zeros: tuple[float, ...]


REFERENCES: dict[str, list[Reference]] = {}


def reference(name: str, value: Callable[..., Any], /, *slopes: Callable[..., Any] | None,
              domain: Any = None, near: tuple[float, ...] = (), zeros: tuple[float, ...] = (), **params: Any) -> None:
    """Add a line to the table; an operation with options has a line for each setting worth looking at."""
    domains = domain or (ANY,) * len(slopes)
    intervals = domains if isinstance(domains[0], tuple) else (domains,) * len(slopes)
    REFERENCES.setdefault(name, []).append(Reference(value, slopes, params, intervals, near + zeros, zeros))


def off(kink: float, slope: Callable[..., Any]) -> Callable[..., Any]:
    """A slope that has no reference at a kink of its first argument."""
    return lambda x, *rest: mp.nan if x == kink else slope(x, *rest)


zero: Callable[..., Any] = lambda *args: 0  # noqa: E731  as short as the slopes it stands among
one: Callable[..., Any] = lambda *args: 1  # noqa: E731

# arithmetic
reference("add", lambda a, b: mp.fadd(a, b, exact=True), one, one)
reference("subtract", lambda a, b: mp.fsub(a, b, exact=True), one, lambda a, b: -1)
reference("multiply", lambda a, b: a * b, lambda a, b: b, lambda a, b: a)
reference("divide", lambda a, b: a / b, lambda a, b: 1 / b, lambda a, b: -a / b ** 2)
reference("floor_divide", lambda a, b: mp.floor(a / b), lambda a, b: 0, lambda a, b: 0, domain=(1.0, 1e5))
reference("remainder", lambda a, b: a - b * mp.floor(a / b), one, lambda a, b: -mp.floor(a / b), domain=(1.0, 1e5))
reference("negative", lambda x: -x, lambda x: -1)
reference("positive", lambda x: x, one)
reference("abs", lambda x: abs(x), off(0, lambda x: mp.sign(x)))
reference("sign", lambda x: mp.sign(x), off(0, zero))
reference("copysign", lambda a, b: abs(a) * mp.sign(b), off(0, lambda a, b: mp.sign(a) * mp.sign(b)), zero,
          domain=(ANY, (0.1, 9.0)))
reference("heaviside", lambda x, h: (1 + mp.sign(x)) / 2 if x else h, off(0, zero), lambda x, h: 0 if x else 1)

# powers and roots

def mixed(a: Any, b: Any) -> Any:
    return a ** (b - 1) * (1 + b * mp.log(a))


reference("square", lambda x: x * x, lambda x: 2 * x)
reference("sqrt", lambda x: mp.sqrt(x), lambda x: mp.inf if x == 0 else 1 / (2 * mp.sqrt(x)), domain=POSITIVE)
reference("cbrt", lambda x: mp.sign(x) * mp.cbrt(abs(x)), lambda x: mp.inf if x == 0 else 1 / (3 * mp.cbrt(abs(x)) ** 2))
reference("reciprocal", lambda x: 1 / x, lambda x: -1 / (x * x))
reference("pow", lambda a, b: a ** b, lambda a, b: b * a ** (b - 1), off(0, lambda a, b: a ** b * mp.log(a)),
          domain=(POSITIVE, ANY))
reference("base_slope", lambda a, b: b * a ** (b - 1), lambda a, b: b * (b - 1) * a ** (b - 2), mixed,
          domain=(POSITIVE, ANY))
reference("exponent_slope", off(0, lambda a, b: a ** b * mp.log(a)), off(0, mixed), off(0, lambda a, b: a ** b * mp.log(a) ** 2),
          domain=(POSITIVE, ANY))
reference("hypot", lambda a, b: mp.hypot(a, b), lambda a, b: a / mp.hypot(a, b), lambda a, b: b / mp.hypot(a, b))
reference("leg", lambda a, b: a / mp.hypot(a, b), lambda a, b: b ** 2 / mp.hypot(a, b) ** 3,
          lambda a, b: -a * b / mp.hypot(a, b) ** 3)

# exponentials and logarithms

def share(a: Any, b: Any) -> Any:
    return 1 / (1 + mp.exp(mp.fsub(b, a, exact=True)))


reference("exp", lambda x: mp.exp(x), lambda x: mp.exp(x))
reference("exp2", lambda x: mp.power(2, x), lambda x: mp.power(2, x) * mp.ln2)
reference("expm1", lambda x: mp.expm1(x), lambda x: mp.exp(x))
reference("log", lambda x: mp.log(x), lambda x: 1 / x, domain=POSITIVE)
reference("log1p", lambda x: mp.log1p(x), lambda x: 1 / mp.fadd(1, x, exact=True), domain=(-1.0, ANY[1]))
reference("log2", lambda x: mp.log(x) / mp.ln2, lambda x: 1 / (x * mp.ln2), domain=POSITIVE)
reference("log10", lambda x: mp.log(x) / mp.ln10, lambda x: 1 / (x * mp.ln10), domain=POSITIVE)
reference("logaddexp", lambda a, b: max(a, b) + mp.log1p(mp.exp(-abs(a - b))), share, lambda a, b: share(b, a))
reference("share", share, lambda a, b: share(a, b) * share(b, a), lambda a, b: -share(a, b) * share(b, a))


def product(x: Any, logarithm: Any) -> Any:
    return x * logarithm if x else 0


reference("xlogy", lambda x, z: product(x, mp.log(z)), off(0, lambda x, z: mp.log(z)), lambda x, z: x / z, domain=(ANY, POSITIVE))
reference("xlog1py", lambda x, z: product(x, mp.log1p(z)), lambda x, z: mp.log1p(z), lambda x, z: x / mp.fadd(1, z, exact=True),
          domain=(ANY, (-1.0, ANY[1])))

# circular functions

def turn(a: Any, b: Any) -> Any:
    return b / (a * a + b * b)


reference("sin", lambda x: mp.sin(x), lambda x: mp.cos(x))
reference("cos", lambda x: mp.cos(x), lambda x: -mp.sin(x))
reference("tan", lambda x: mp.tan(x), lambda x: 1 + mp.tan(x) ** 2)
reference("asin", lambda x: mp.asin(x), lambda x: 1 / mp.sqrt((1 - x) * (1 + x)), domain=(-1.0, 1.0))
reference("acos", lambda x: mp.acos(x), lambda x: -1 / mp.sqrt((1 - x) * (1 + x)), domain=(-1.0, 1.0))
reference("atan", lambda x: mp.atan(x), lambda x: 1 / (1 + x * x))
reference("atan2", off(0, lambda a, b: mp.atan2(a, b)), turn, lambda a, b: -turn(b, a))
reference("turn", turn, lambda a, b: -2 * turn(a, b) * turn(b, a), lambda a, b: turn(b, a) ** 2 - turn(a, b) ** 2)
reference("deg2rad", lambda x: x * mp.pi / 180, lambda x: mp.pi / 180)
reference("rad2deg", lambda x: x * 180 / mp.pi, lambda x: 180 / mp.pi)

# hyperbolic functions
reference("sinh", lambda x: mp.sinh(x), lambda x: mp.cosh(x))
reference("cosh", lambda x: mp.cosh(x), lambda x: mp.sinh(x))
reference("tanh", lambda x: mp.tanh(x), lambda x: mp.sech(x) ** 2)
reference("asinh", lambda x: mp.asinh(x), lambda x: 1 / mp.hypot(1, x))
reference("acosh", lambda x: mp.acosh(x), lambda x: 1 / (mp.sqrt(x - 1) * mp.sqrt(x + 1)), domain=(1.0, ANY[1]))
reference("atanh", lambda x: mp.atanh(x), lambda x: 1 / ((1 - x) * (1 + x)), domain=(-1.0, 1.0))

# special functions

def bessel(n: int, x: Any) -> Any:
    """`j_n(pi x)`."""
    z = mp.pi * x
    if not x:
        return int(n == 0)
    if abs(z) < mp.mpf(10) ** -12:
        return z ** n / mp.fac2(2 * n + 1)
    if n == 0:
        return mp.sinpi(x) / z
    before = mp.cospi(x) / z if n == 1 else bessel(n - 2, x)
    with mp.workprec(max(mp.mp.prec, 400)):
        return (2 * n - 1) / z * bessel(n - 1, x) - before


def bessel_slope(n: int, x: Any) -> Any:
    return mp.pi / (2 * n + 1) * ((n * bessel(n - 1, x) if n else 0) - (n + 1) * bessel(n + 1, x))


BELL = lambda x: mp.exp(-x * x)  # noqa: E731  as short as the slopes it stands among
reference("erf", lambda x: mp.erf(x), lambda x: 2 / mp.sqrt(mp.pi) * BELL(x))
reference("erfc", lambda x: mp.erfc(x), lambda x: -2 / mp.sqrt(mp.pi) * BELL(x), domain=(-30.0, 30.0))
reference("gaussian", BELL, lambda x: -2 * x * BELL(x))
reference("sinc", lambda x: bessel(0, x), lambda x: -mp.pi * bessel(1, x), near=(1.4302966531242027,))
for n in range(3):
    reference("spherical_bessel", lambda x, n=n: bessel(n, x), lambda x, n=n: bessel_slope(n, x), order=n)

# rounding
reference("floor", lambda x: mp.floor(x), zero)
reference("ceil", lambda x: mp.ceil(x), zero)
reference("trunc", lambda x: mp.sign(x) * mp.floor(abs(x)), zero)
reference("round", lambda x: mp.nint(x), zero, decimals=0)

# choices
reference("maximum", lambda a, b: max(a, b), lambda a, b: a > b if a != b else 0.5, lambda a, b: b > a if a != b else 0.5)
reference("minimum", lambda a, b: min(a, b), lambda a, b: a < b if a != b else 0.5, lambda a, b: b < a if a != b else 0.5)
reference("fmax", lambda a, b: max(a, b), lambda a, b: a > b if a != b else 0.5, lambda a, b: b > a if a != b else 0.5)
reference("fmin", lambda a, b: min(a, b), lambda a, b: a < b if a != b else 0.5, lambda a, b: b < a if a != b else 0.5)
reference("clip", lambda x, low, high: max(low, min(x, high)), lambda x, low, high: low <= x <= high,
          lambda x, low, high: x < low, lambda x, low, high: x > high, domain=(ANY, (-9.0, -0.1), (0.1, 9.0)))
reference("nan_to_num", lambda x: x, one)

# gates of straight pieces; what they do at a kink, the table of kinks says
reference("relu", lambda x: max(x, 0), off(0, lambda x: x > 0))
reference("relu6", lambda x: min(max(x, 0), 6), off(0, off(6, lambda x: 0 < x < 6)), near=(6.0,))
reference("leaky_relu", lambda x: x if x > 0 else 0.01 * x, off(0, lambda x: 1 if x > 0 else 0.01), negative_slope=0.01)
reference("prelu", lambda x, w: x if x > 0 else w * x, off(0, lambda x, w: 1 if x > 0 else w), lambda x, w: min(x, 0))
reference("threshold", lambda x: x if x > 2 else -1, off(2, lambda x: x > 2), threshold=2.0, value=-1.0, near=(2.0,))
reference("hardtanh", lambda x: min(max(x, -1), 1), off(-1, off(1, lambda x: -1 < x < 1)))
reference("hardsigmoid", lambda x: min(max(mp.fadd(x, 3, exact=True), 0), 6) / 6,
          off(-3, off(3, lambda x: mp.mpf(-3 < x < 3) / 6)), near=(-3.0, 3.0))
reference("hardswish", lambda x: x * min(max(mp.fadd(x, 3, exact=True), 0), 6) / 6,
          off(-3, off(3, lambda x: 0 if x < -3 else 1 if x > 3 else (2 * x + 3) / 6)), near=(-3.0, -1.5, 3.0))

# smooth gates

def sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def left(exponential: Any, rest: Any) -> Any:
    """A function that is `rest` for x > 0 and `exponential` for x < 0."""
    return lambda x: rest(x) if x > 0 else exponential(x)


with mp.workprec(120):
    SCALE, ALPHA = mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717")
same: Callable[..., Any] = lambda x: x  # noqa: E731  as short as the slopes it stands among
reference("sigmoid", sigmoid, lambda x: sigmoid(x) * sigmoid(-x))
reference("logsigmoid", lambda x: -softplus(-x), lambda x: sigmoid(-x))
reference("softplus", softplus, sigmoid, beta=1.0)
reference("softplus", lambda x: softplus(3 * x) / 3, lambda x: sigmoid(3 * x), beta=3.0)
reference("silu", lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * sigmoid(-x)), zeros=(-1.2784645427610738,))
reference("mish", lambda x: x * mp.tanh(softplus(x)),
          lambda x: mp.tanh(softplus(x)) + x * mp.sech(softplus(x)) ** 2 * sigmoid(x), zeros=(-1.1924312145154297,))
reference("elu", left(mp.expm1, same), off(0, left(mp.exp, one)), alpha=1.0)
reference("elu", left(lambda x: 2.5 * mp.expm1(x), same), off(0, left(lambda x: 2.5 * mp.exp(x), one)), alpha=2.5)
reference("selu", left(lambda x: SCALE * ALPHA * mp.expm1(x), lambda x: SCALE * x),
          off(0, left(lambda x: SCALE * ALPHA * mp.exp(x), lambda x: SCALE)))
reference("celu", left(mp.expm1, same), left(mp.exp, one), alpha=1.0)
reference("celu", left(lambda x: 2.5 * mp.expm1(x / 2.5), same), left(lambda x: mp.exp(x / 2.5), one), alpha=2.5)
reference("softsign", lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2)

# the normal distribution

def normal(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2 if x < 100 else 1


def bell(x: Any) -> Any:
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def curve(x: Any) -> Any:
    return 2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf(0.044715) * x ** 3)


def curve_slope(x: Any) -> Any:
    s = sigmoid(curve(x))
    return s + x * s * sigmoid(-curve(x)) * 2 * mp.sqrt(2 / mp.pi) * (1 + 3 * mp.mpf(0.044715) * x * x)


reference("normal_pdf", bell, lambda x: -x * bell(x), domain=(-1e4, 1e4))
reference("ndtr", normal, bell, domain=(-1e4, 1e4))
reference("gelu", lambda x: x * normal(x), lambda x: normal(x) + x * bell(x), domain=(-1e4, 1e4), zeros=(-0.7517915246935645,))
reference("gelu_slope", lambda x: normal(x) + x * bell(x), lambda x: (2 - x * x) * bell(x), domain=(-1e4, 1e4),
          zeros=(-0.7517915246935645, -mp.sqrt(2), mp.sqrt(2)))
reference("gelu", lambda x: x * sigmoid(curve(x)), curve_slope, domain=(-9.0, 1e4), zeros=(-0.7524614220710162,),
          approximate="tanh")

# gates of losses

def chance(f: Any) -> Any:
    """A function of a chance strictly between 0 and 1, away from where logarithms are kept above -100."""
    return lambda p, t: f(p, t) if 1e-30 < p < 1 else mp.nan


CHANCES = (0.0, 1.0)
reference("squared_error", lambda a, t: mp.fsub(a, t, exact=True) ** 2, lambda a, t: 2 * mp.fsub(a, t, exact=True),
          lambda a, t: 2 * mp.fsub(t, a, exact=True))
reference("half_square", lambda a, t: mp.fsub(a, t, exact=True) ** 2 / 2, lambda a, t: mp.fsub(a, t, exact=True),
          lambda a, t: mp.fsub(t, a, exact=True))
reference("huber", lambda a, t: (a - t) ** 2 / 2 if abs(a - t) < 1 else abs(a - t) - 0.5,
          lambda a, t: max(-1, min(a - t, 1)), lambda a, t: max(-1, min(t - a, 1)))
reference("sigmoid_cross_entropy", lambda x, t: softplus(x) - t * x, lambda x, t: sigmoid(x) - t, lambda x, t: -x,
          domain=(ANY, CHANCES))
reference("bernoulli_cross_entropy", chance(lambda p, t: -t * mp.log(p) - (1 - t) * mp.log1p(-p)),
          chance(lambda p, t: (p - t) / (p * (1 - p)) if p * (1 - p) > 1e-12 else mp.nan),
          chance(lambda p, t: mp.log1p(-p) - mp.log(p)), domain=CHANCES)
reference("drop", lambda x, kept: x / mp.mpf(0.75), lambda x, kept: 1 / mp.mpf(0.75), None, domain=(ANY, (1.0, 1.0)), p=0.25)
