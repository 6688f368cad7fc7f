"""A shaping layer gives its input another shape, and changes no number."""
from __future__ import annotations

from math import prod

from chainrule.core.type import Array, normal_axis, typeof
from chainrule.errors import ShapeError
from chainrule.ops.broadcasting import reshape

from .module import Module


class Flatten(Module):
    """Join the axes `start_dim` to `end_dim` into one: by default all but the first, which counts the examples."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Array) -> Array:
        shape = typeof(x).shape
        start, end = (normal_axis("Flatten", axis, len(shape)) for axis in (self.start_dim, self.end_dim))
        return reshape(x, (*shape[:start], prod(shape[start:end + 1]), *shape[end + 1:]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split the axis `dim` into several, of `unflattened_size`; one of the sizes may be -1, which stands for whatever fits.

    Raises ShapeError.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.Unflatten(1, (2, -1))(np.zeros((3, 8), np.float32)).shape
    (3, 2, 4)
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Array) -> Array:
        t = typeof(x)
        axis = normal_axis("Unflatten", self.dim, t.ndim)
        known = prod(n for n in self.unflattened_size if n != -1)
        free = self.unflattened_size.count(-1)
        if free > 1 or (t.shape[axis] % known if free and known else t.shape[axis] != known):
            raise ShapeError(f"Unflatten: axis {axis} of {t} has {t.shape[axis]} elements, which do not fill "
                             f"{self.unflattened_size}.")
        sizes = (n if n != -1 else t.shape[axis] // known for n in self.unflattened_size)
        return reshape(x, (*t.shape[:axis], *sizes, *t.shape[axis + 1:]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
