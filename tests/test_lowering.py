"""Lowering keeps the meaning of every operation: a plan computes what its graph says."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import ops
from chainrule.core.primitive import Primitive
from chainrule.core.stage import Graph, stage
from chainrule.core.type import is_float, typeof
from laws import canonical, samples
from lowered import agrees, slowly


def program(prim: Primitive, sample: Any, dtype: Any) -> tuple[Graph, list[Any]]:
    """An operation on a sample as a graph, floats in this dtype, and its inputs."""
    args, params = canonical(prim, sample)
    args = tuple(np.asarray(a, dtype) if a is not None and is_float(typeof(a).dtype) else a for a in args)
    arrays = [np.asarray(a) for a in args if a is not None]

    def whole(*given: Any) -> Any:
        supply = iter(given)
        return prim(*(None if a is None else next(supply) for a in args), **params)
    return stage(whole, *map(typeof, arrays)), arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("prim", ops.ALL, ids=lambda p: p.name)
def test_every_operation_is_lowered_to_what_it_means(prim: Primitive, dtype: Any) -> None:
    for sample in samples(prim):
        agrees(*program(prim, sample, dtype), run=slowly)
