"""A template is the graph of an exercise without its numbers: one operation to a line, and the shapes of what is given."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Template:
    """`formula` may hold {sign} (+ or -) and {gate} (a function of `GATES`); `given` says the shape of each variable.

    Gradients are asked for in `wrt`. A variable of `one_hot` is a row of zeros with one 1 in it, the true class.
    """

    formula: str
    given: dict[str, tuple[int, ...]]
    wrt: tuple[str, ...]
    one_hot: tuple[str, ...] = ()


def scalars(formula: str, names: str) -> Template:
    return Template(formula, dict.fromkeys(names, ()), tuple(names))


SIGNS = ("+", "-")
GATES = ("relu", "sigmoid", "tanh")
ROUNDED = ("sigmoid", "tanh", "softmax")
"""Operations whose values are no short decimals; they are given with four digits."""

TEMPLATES: dict[int, tuple[Template, ...]] = {
    1: (
        scalars("p = w*x; u = p + b; d = u - y; L = d**2", "wxby"),
        scalars("s = x {sign} y; t = s*z; L = t**2", "xyz"),
        scalars("p = x*y; q = z**2; L = p {sign} q", "xyz"),
        scalars("s = x + y; t = z {sign} w; L = s*t", "xyzw"),
        scalars("q = x**2; p = q*y; L = p {sign} z", "xyz"),
        scalars("p = x*y; s = p {sign} z; t = s*w; L = t + v", "xyzwv"),
    ),
    2: (
        scalars("p = w*x; z = p + b; a = {gate}(z); d = a - y; L = d**2", "wxby"),
        scalars("u = x*y; v = u {sign} y; a = {gate}(v); L = a*z", "xyz"),
        scalars("s = x {sign} y; a = {gate}(s); L = a*x", "xy"),
        scalars("q = x**2; p = w*x; s = q {sign} p; L = {gate}(s)", "xw"),
        scalars("z = w*x; a = {gate}(z); t = a*w; L = t {sign} a", "wx"),
        scalars("z = w*x; a = {gate}(z); h = a {sign} x; L = h**2", "wx"),
    ),
    3: (
        Template("m = W @ x; z = m + b; a = relu(z); d = a - y; s = d**2; L = sum(s)",
                 {"W": (2, 2), "x": (2,), "b": (2,), "y": (2,)}, ("W", "b", "x")),
        Template("m = W @ x; z = m + b; a = relu(z); t = v*a; L = sum(t)",
                 {"W": (3, 2), "x": (2,), "b": (3,), "v": (3,)}, ("W", "b", "v")),
        Template("M = X @ W; Z = M + b; D = Z - Y; S = D**2; L = sum(S)",
                 {"X": (2, 2), "W": (2, 2), "b": (2,), "Y": (2, 2)}, ("W", "b")),
        Template("M = X @ W; Z = M + b; A = relu(Z); L = sum(A)", {"X": (3, 2), "W": (2, 2), "b": (2,)}, ("W", "b", "X")),
    ),
    4: (
        Template("z1 = W1 @ x; a1 = relu(z1); z2 = W2 @ a1; d = z2 - y; s = d**2; L = sum(s)",
                 {"W1": (2, 2), "x": (2,), "W2": (2, 2), "y": (2,)}, ("W1", "W2")),
        Template("m = W1 @ x; z1 = m + b1; a1 = relu(z1); z2 = W2 @ a1; d = z2 - y; s = d**2; L = sum(s)",
                 {"W1": (3, 2), "x": (2,), "b1": (3,), "W2": (1, 3), "y": (1,)}, ("W1", "b1", "W2")),
        Template("m = W @ x; z = m + b; L = softmax_cross_entropy(z, y)",
                 {"W": (3, 2), "x": (2,), "b": (3,), "y": (3,)}, ("W", "b", "x"), one_hot=("y",)),
        Template("z1 = W1 @ x; a1 = relu(z1); z2 = W2 @ a1; L = softmax_cross_entropy(z2, y)",
                 {"W1": (2, 2), "x": (2,), "W2": (2, 2), "y": (2,)}, ("W1", "W2"), one_hot=("y",)),
    ),
}
"""By level: scalar formulas; a gate and a value used twice; one layer; two layers, or softmax and cross-entropy."""
