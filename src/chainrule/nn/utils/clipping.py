"""Clipping makes gradients smaller where they are too large, before an optimizer uses them.

The functions change the gradients of parameters, eagerly and inside a compiled step. `get_total_norm`, called before or after,
says how large they are.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.core.interpreter import concrete
from chainrule.core.type import Array
from chainrule.errors import ArgumentError, GradientError
from chainrule.linalg import vector_norm
from chainrule.ops.choice import clip, minimum
from chainrule.ops.movement import stack
from chainrule.tensor import Tensor, no_grad, tensor

Parameters = Tensor | Iterable[Tensor]
SMALL = 1e-6  # PyTorch's, so that a norm of 0 divides nothing by 0


def clip_grad_norm_(parameters: Parameters, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Array:
    """Scale all gradients by one factor, so that the norm of all their elements together is at most `max_norm`.

    Gives the norm as it was before; `get_total_norm(p.grad for p in parameters)` gives the one after. `norm_type` is the p of the
    p-norm, `inf` for the largest size. A norm that is not finite makes all gradients NaN, as in PyTorch; with
    `error_if_nonfinite` it raises GradientError (outside compiled functions). Pascanu, Mikolov and Bengio, "On the difficulty of
    training recurrent neural networks", ICML 2013.

    >>> import chainrule as cr
    >>> w = cr.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> cr.nn.utils.clip_grad_norm_([w], max_norm=1.0).item()
    10.0
    >>> round(cr.nn.utils.get_total_norm([w.grad]).item(), 5)
    1.0
    """
    params = with_gradients(parameters)
    total = get_total_norm([p.grad for p in params], norm_type, error_if_nonfinite)
    with no_grad():
        scale(params, [total] * len(params), max_norm)
    return total


def clip_grad_norm_each_(parameters: Parameters, max_norm: float, norm_type: float = 2.0) -> list[Array]:
    """Scale each parameter's gradient by a factor of its own, so that its norm is at most `max_norm`.

    Gives the norms as they were before, in the order of the parameters that have a gradient.

    >>> import chainrule as cr
    >>> a, b = (cr.tensor(value, requires_grad=True) for value in ([3.0, 4.0], [0.3, 0.4]))
    >>> ((a * a).sum() + (b * b).sum()).backward()
    >>> [round(norm.item(), 5) for norm in cr.nn.utils.clip_grad_norm_each_([a, b], max_norm=1.0)]
    [10.0, 1.0]
    """
    params = with_gradients(parameters)
    with no_grad():
        norms = [vector_norm(p.grad, ord=norm_type) for p in params]
        scale(params, norms, max_norm)
    return norms


def clip_grad_value_(parameters: Parameters, clip_value: float) -> None:
    """Cut each element of each gradient to between `-clip_value` and `clip_value`.

    >>> import chainrule as cr
    >>> w = cr.tensor([3.0, -0.2], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> cr.nn.utils.clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([ 1. , -0.4])
    """
    must_bound("clip_grad_value_", "clip_value", clip_value)
    with no_grad():
        for p in with_gradients(parameters):
            p.grad = clip(p.grad, -clip_value, clip_value)


def get_total_norm(tensors: Iterable[Array | None], norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Array:
    """The norm of all elements of these tensors together, such as the gradients of a model; None counts as 0.

    Raises GradientError where it is not finite, if `error_if_nonfinite` is set.

    >>> import chainrule as cr
    >>> cr.nn.utils.get_total_norm([cr.tensor([3.0]), None, cr.tensor([4.0])]).item()
    5.0
    """
    given = [t for t in tensors if t is not None]
    with no_grad():
        total = vector_norm(stack([vector_norm(t, ord=norm_type) for t in given]), ord=norm_type) if given else tensor(0.0)
    if error_if_nonfinite:
        must_be_finite(total, norm_type)
    return total


def with_gradients(parameters: Parameters) -> list[Any]:
    return [p for p in ([parameters] if isinstance(parameters, Tensor) else parameters) if p.grad is not None]


def scale(params: list[Any], norms: list[Array], most: float) -> None:
    """Multiply each gradient by what brings its norm to `most`, where that is less than 1."""
    must_bound("clip_grad_norm", "max_norm", most)
    for p, norm in zip(params, norms):
        p.grad = p.grad * shrinking(norm, most)


def shrinking(norm: Array, most: float) -> Array:
    """What brings a norm to `most`, where that is less than 1."""
    return minimum(most / (norm + SMALL), 1.0)


def must_bound(name: str, option: str, value: float) -> None:
    if not value >= 0:
        raise ArgumentError(f"{name}: {option} is at least 0, not {value!r}.")


def must_be_finite(total: Array, norm_type: float) -> None:
    if not np.isfinite(concrete(total, "error_if_nonfinite")):
        raise GradientError(f"clip_grad_norm_: the norm of order {norm_type} of the gradients is {total.item()}, so they cannot "
                            "be scaled. cr.birth(loss) says where it came from; error_if_nonfinite=False scales all the same.")
