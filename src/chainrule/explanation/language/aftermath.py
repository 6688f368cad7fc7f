"""The aftermath of an example is what one does with its gradients, or sees in them: a step, a comparison, a count."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..faces.table import table
from ..faces.text import array_cell
from ..formulas.writing import plain_array, plain_number
from ..record.facts import Edge
from ..story import Explanation

WIDTH = 80
Row = list[str]


def lines(title: str, head: Row, rows: list[Row]) -> str:
    return "\n".join([title, *table(head, rows, WIDTH)]) + "\n"


def typed(name: str, value: Any) -> str:
    """A value as it is typed on the command line, with every digit."""
    return f"{name}={np.asarray(value).tolist()}".replace(" ", "")


ROUNDED = """
  By hand one often rounds first: 0.2689 × 0.1966 = 0.05287 gives
  dw = [0.0529, 0.1057] and the new w = [1.9471, -3.1057]. With all digits the
  second numbers are 0.10575 and -3.10575.
"""


def one_step(example: Any, e: Explanation) -> str:
    """Gradient descent with rate 1: each parameter less its gradient; then the forward pass again."""
    new = {name: e[name].value - 1.0 * e.gradients[name] for name in e.leaves}
    values = [v for v in example.values.split() if v.partition("=")[0] not in new]
    after = example.explain(values=" ".join([*values, *(typed(name, value) for name, value in new.items())]))
    rows = [[name, *map(plain_array, (e[name].value, e.gradients[name], new[name]))] for name in new]
    rows += [[name, plain_array(e[name].value), "", plain_array(after[name].value)] for name in ("a", "C")]
    return lines("One step of gradient descent with rate 1", ["", "before", "gradient", "after"], rows) + ROUNDED


def probabilities(example: Any, e: Explanation) -> str:
    """p, y and p - y beside the gradients of the one gate and of its parts."""
    z, y = e["z"].value, e["y"].value
    p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    gate, parts = example.explain(), example.explain(open=True)
    rows = [["p = softmax(z)", plain_array(p)], ["y", plain_array(y)], ["p - y", plain_array(p - y)],
            ["dL/dz, one gate", plain_array(gate.gradients["z"])],
            ["dL/dz, opened", plain_array(parts.gradients["z"])]]
    title = f"The same three numbers: edges in the gate {len(gate.edges)}, opened (--open) {len(parts.edges)}"
    return lines(title, ["", "value"], rows)


def edges_between(e: Explanation, argument: str, result: str) -> list[Edge]:
    return [x for x in e.edges_into(argument) if e[x.result].name == result]


def batch_rows(example: Any, e: Explanation) -> str:
    """The sums over the batch, term by term."""
    g, x = e["Z"].gradient, e["X"].value
    rows = [[f"row {k}", array_cell(g[k]), array_cell(np.outer(g[k], x[k]))] for k in range(len(g))]
    rows.append(["sum", array_cell(g.sum(0)), array_cell(g.T @ x)])
    shapes = (f"\n  dL/dW = G.T @ X      {shape(e['W'].gradient)} = {shape(g.T)} @ {shape(x)}"
              f"\n  dL/db = sum of G      {shape(e['b'].gradient)} = sum over the batch of {shape(g)}"
              f"\n  dL/dX = G @ W        {shape(e['X'].gradient)} = {shape(g)} @ {shape(e['W'].value)}\n")
    return lines("The batch, example by example", ["example", "into b: G[k]", "into W: outer(G[k], X[k])"], rows) + shapes


def shape(x: Any) -> str:
    return f"({', '.join(map(str, x.shape))}{',' if x.ndim == 1 else ''})"


def skip_and_block(example: Any, e: Explanation) -> str:
    """What came through the identity edge and what through the block."""
    skip, block = (edges_between(e, "x", result)[0].contribution for result in ("h", "z"))
    rows = [["through the skip", "u", plain_array(skip)], ["through the block", "J_F^T u", plain_array(block)],
            ["together", "u + J_F^T u", plain_array(e.gradients["x"])]]
    return lines("The two ways back to x", ["", "formula", "value"], rows)


def sweep_and_nudges(example: Any, e: Explanation) -> str:
    """Forward differences for every parameter, with the passes and operations they took, beside the one sweep."""
    step = 1e-7
    e.replay.passes = e.replay.operations = 0
    start = e.replay()
    worst, count = 0.0, 0
    for name, leaf in e.leaves.items():
        for index in np.ndindex(leaf.shape):
            difference = (e.replay.nudged(leaf, index, step) - start) / step
            worst = max(worst, abs(difference - float(e.gradients[name][index])))
            count += 1
    forward = len([n for n in e.nodes if n.kind == "operation"])
    rows = [["nudging", f"P + 1 = {e.replay.passes} forward", str(e.replay.operations)],
            ["sweep", "1 forward, 1 backward", f"{forward} + {len(e.edges)} rules"]]
    return lines(f"The cost of P = {count} derivatives (they differ by at most {plain_number(worst)})",
                 ["way", "passes", "operations"], rows)
