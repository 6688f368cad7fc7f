"""An example is a formula with values and a lesson: what to look for when its gradients are explained."""
from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..story import Explanation
from .aftermath import batch_rows, one_step, probabilities, skip_and_block, sweep_and_nudges
from .explain_formula import explain_formula


@dataclass(frozen=True)
class Example:
    """`after` writes what is shown below the tables; `symbols` says what gradients are called, where not dL/d(name)."""

    name: str
    title: str
    lesson: str
    formula: str
    values: str
    wrt: tuple[str, ...] | None = None
    symbols: dict[str, str] = field(default_factory=dict)
    after: Callable[[Example, Explanation], str] | None = None

    def explain(self, *, wrt: Sequence[str] | None = None, open: bool = False, values: str | None = None) -> Explanation:
        """The explanation of this example, or of the same formula at other values."""
        return explain_formula(self.formula, (values or self.values).split(), wrt=wrt if wrt is not None else self.wrt, open=open,
                               symbols=self.symbols)

    def page(self, e: Explanation) -> str:
        """The lesson, the tables, and what follows from them."""
        head = [self.title, "═" * len(self.title), *textwrap.wrap(self.lesson, 80), "", *textwrap.wrap(
            self.formula, 78, initial_indent="  ", subsequent_indent="    "), *textwrap.wrap(
            self.values, 78, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False), "", ""]
        return "\n".join(head) + e.text() + (f"\n{self.after(self, e)}" if self.after else "")


LAYERS = "a1 = {0}*x; a2 = {0}*a1; a3 = {0}*a2; y = {0}*a3"

EXAMPLES: dict[str, Example] = {e.name: e for e in (
    Example(
        "neuron", "One neuron, end to end",
        "The loss looks at w only through w*x, then z, then relu, then the difference, then the square. Along this one path "
        "the local derivatives are multiplied, from the loss down.",
        "z = w*x + b; L = (relu(z) - y)**2", "x=2 w=3 b=1 y=5", wrt=("w", "b", "x")),
    Example(
        "sigmoid-neuron", "A sigmoid neuron, and one step of gradient descent",
        "delta, the gradient in the pre-activation z, is dC/da times the slope of the sigmoid. Everything before z needs only "
        "delta: the gradient in w is delta times the input, that in b is delta itself.",
        "z = w @ x + b; a = sigmoid(z); C = (y - a)**2 / 2", "w=[2,-3] b=-3 x=[-1,-2] y=1", wrt=("z", "w", "b"),
        symbols={"z": "delta"}, after=one_step),
    Example(
        "merge", "A value used twice",
        "y reaches the loss along two edges: inside u, and beside it. What it contributes along each adds up. "
        "In closed form dL/dx = 2 v y and dL/dy = 2 v (1 + x).",
        "u = x*y; v = u + y; L = v**2", "x=2 y=1"),
    Example(
        "reuse", "An input that is used again further on",
        "x goes into a, and again into b. In closed form dL/dx = 2x(x+y)(2x+y) and dL/dy = 2x^2(x+y).",
        "a = x + y; b = x*a; L = b**2", "x=1 y=2"),
    Example(
        "gates", "The four gates: add, multiply, max, copy",
        "Going back, add copies the gradient to both sides; multiply swaps its two inputs and scales them; max routes "
        "all of it to the winner and none to the loser; copy (s is used twice) sums what comes back.",
        "p = x*y; m = maximum(z, w); s = p + m; L = s + s", "x=3 y=-4 z=2 w=-1"),
    Example(
        "two-layer", "Two layers: the recursion of the deltas",
        "delta2 = a2 - y at the output. One layer down, delta1 = (W2^T delta2) times the slope of phi, element by element. "
        "In every layer dW = delta a^T and db = delta.",
        "z1 = W1 @ x + b1; a1 = sigmoid(z1); a2 = W2 @ a1 + b2; L = sum((a2 - y)**2) / 2",
        "W1=[[0.5,-1],[1,0.5],[-0.5,1]] x=[[1],[2]] b1=[[0.5],[-1],[0]] W2=[[1,-1,0.5],[0.5,1,-1]] b2=[[0],[0.5]] y=[[1],[0]]",
        wrt=("a2", "W2", "b2", "z1", "W1", "b1"), symbols={"a2": "delta2", "z1": "delta1"}),
    Example(
        "softmax", "Softmax and cross-entropy: the gradient is p - y",
        "As one gate the gradient in the scores z is the probabilities less the truth. Opened into exponentials, sums and "
        "logarithms, many edges come to the same three numbers.",
        "L = softmax_cross_entropy(z, y)", "z=[1,2,3] y=[0,0,1]", wrt=("z",), after=probabilities),
    Example(
        "affine-relu", "A layer on a batch: affine map and ReLU",
        "X holds an example per row, W a neuron per row. With G the gradient in Z: dL/dW = G^T X, dL/dX = G W, and dL/db is the "
        "sum of G over the batch. ReLU lets G through where Z is positive.",
        "Z = X @ matrix_transpose(W) + b; A = relu(Z); L = sum(A**2) / 2",
        "X=[[1,2],[-1,0.5],[0,1],[2,-1]] W=[[1,-1],[0.5,2],[-2,1]] b=[0.5,-1,1]", wrt=("W", "b", "X"), symbols={"Z": "G"},
        after=batch_rows),
    Example(
        "batch", "Why the bias's gradient is a sum over the batch",
        "b is used by every row of Z, so as many edges lead back to it as there are rows; broadcasting hides them, the sum "
        "brings them back. The same for W: G^T X is a sum of one outer product per example.",
        "Z = X @ matrix_transpose(W) + b; L = sum((Z - T)**2) / 2",
        "X=[[1,2],[3,4],[5,6]] W=[[1,0],[0,1]] b=[1,-1] T=[[1,1],[3,3],[5,5]]", wrt=("W", "b", "X"), symbols={"Z": "G"},
        after=batch_rows),
    Example(
        "residual", "A residual connection: h = x + F(x)",
        "Two edges lead back to x. Along the skip the gradient u arriving at h passes unchanged, whatever F does; the block adds "
        "J_F^T u. So the identity edge keeps deep networks trainable.",
        "z = W1 @ x; F = W2 @ relu(z); h = x + F; L = sum(u * h)",
        "x=[1,-2] W1=[[1,-0.5],[1,1]] W2=[[0.5,1],[-1,2]] u=[1,3]", wrt=("x",), symbols={"h": "u"}, after=skip_and_block),
    Example(
        "gears", "Gears: rates multiply",
        "A turns three times as fast as B, and B twice as fast as C. So A turns 3 x 2 = 6 times as fast as C.",
        "B = 2*C; A = 3*B", "C=1"),
    Example(
        "vanish", "Four layers of slope 0.3: the gradient vanishes",
        "Each layer multiplies the gradient by 0.3: after four, 0.3^4 = 0.0081 of it is left.", LAYERS.format("0.3"), "x=1"),
    Example(
        "explode", "Four layers of slope 3: the gradient explodes",
        "Each layer multiplies the gradient by 3: after four it is 3^4 = 81 times as large.", LAYERS.format("3"), "x=1"),
    Example(
        "nudge", "One sweep against nudging every parameter",
        "Finite differences need one forward pass to start from and one more for each of the P parameters; the backward sweep "
        "gives the same P numbers at once.",
        "h = tanh(W1 @ x + b1); o = W2 @ h + b2; L = sum((o - y)**2) / 2",
        "W1=[[0.5,-1],[1,0.5],[-0.5,1]] b1=[0.1,-0.2,0.3] W2=[[1,-1,0.5],[0.5,1,-1]] b2=[0,0.5] x=[1,2] y=[1,0]",
        wrt=("W1", "b1", "W2", "b2"), after=sweep_and_nudges),
)}
