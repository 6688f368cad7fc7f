"""The table of kinks in docs/kinks.md is executed line by line, so that the conventions and the code cannot part."""
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import chainrule as cr

PAGE = Path(__file__).parent.parent / "docs" / "kinks.md"
WORDS = {**{name: getattr(cr, name) for name in dir(cr) if not name.startswith("_")}, "inf": np.inf, "nan": np.nan}


class Kink(NamedTuple):
    """One line of the table: an expression, the point it is taken at, and the gradient there."""

    expression: str
    point: dict[str, object]
    gradient: dict[str, object]

    def arrays(self, values, dtype):
        return [np.asarray(values[name], dtype) for name in self.point]

    def function(self):
        return eval(f"lambda {', '.join(self.point)}: ({self.expression}).sum()", dict(WORDS))


def numbers(text: str) -> dict[str, object]:
    """`x = 0, y = [1, 2]` as a dict."""
    return eval(f"dict({text})", dict(WORDS))


def lines() -> list[Kink]:
    """The rows of every table of the page: expression, point and gradient are its code columns."""
    rows = [re.findall(r"`([^`]+)`", line) for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return [Kink(expression, numbers(point), numbers(gradient)) for expression, point, gradient, *_ in rows]


def check(found, expected, kink):
    for name, a, b in zip(kink.point, found, expected):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, err_msg=f"the gradient of {kink.expression} in {name}")


every_line = pytest.mark.parametrize("kink", lines(), ids=lambda kink: f"{kink.expression} at {kink.point}")
both_precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


@every_line
@both_precisions
def test_every_line_holds_for_arrays(kink, dtype):
    with np.errstate(all="ignore"):
        found = cr.grad(kink.function(), argnums=range(len(kink.point)))(*kink.arrays(kink.point, dtype))
    check(found, kink.arrays(kink.gradient, dtype), kink)


@every_line
@both_precisions
def test_every_line_holds_for_tensors(kink, dtype):
    leaves = [cr.tensor(a, requires_grad=True) for a in kink.arrays(kink.point, dtype)]
    with np.errstate(all="ignore"):
        kink.function()(*leaves).backward()
    check([leaf.grad.numpy() for leaf in leaves], kink.arrays(kink.gradient, dtype), kink)


@every_line
def test_every_line_holds_in_forward_mode(kink):
    point, gradient = (kink.arrays(values, np.float64) for values in (kink.point, kink.gradient))
    for i, x in enumerate(point):
        for place in np.ndindex(x.shape):
            unit = np.zeros(x.shape)
            unit[place] = 1.0
            with np.errstate(all="ignore"):
                _, slope = cr.jvp(lambda x, i=i: kink.function()(*point[:i], x, *point[i + 1:]), x, unit)
            assert slope == gradient[i][place], f"{kink.expression} along {list(kink.point)[i]}{list(place)}"


def test_the_table_is_read_whole():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("|") and not re.match(r"\| expression|\|-", line)]
    assert len(lines()) == len(rows) > 40


@pytest.mark.parametrize("kink", [k for k in lines() if "det" not in k.expression], ids=str)  # det's second needs an inverse
def test_no_line_is_nan_at_second_order(kink):
    point, arguments, f = kink.arrays(kink.point, np.float64), range(len(kink.point)), kink.function()
    with np.errstate(all="ignore"):
        if not np.isfinite([f(*point), *(g.sum() for g in kink.arrays(kink.gradient, np.float64))]).all():
            return
        total = cr.grad(lambda *at: sum(g.sum() for g in cr.grad(f, argnums=arguments)(*at)), argnums=arguments)(*point)
    assert not any(np.isnan(g).any() for g in total)
