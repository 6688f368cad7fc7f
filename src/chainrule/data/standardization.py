"""A standardization shifts and scales each column, or channel, to mean 0 and deviation 1, as measured on the training part."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError

from .dataset import Dataset


@dataclass(frozen=True)
class Standardization:
    """Means and standard deviations, as plain numbers: one of each for every column of (rows, columns), or channel of images.

    >>> data = Dataset(np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([0, 1]))
    >>> fitted = Standardization.fit(data)
    >>> fitted
    Standardization(mean=(2.0, 5.0), std=(1.0, 0.0))
    >>> fitted(data).inputs.tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    >>> from dataclasses import asdict
    >>> Standardization(**asdict(fitted)) == fitted
    True
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):  # lists, after JSON
            object.__setattr__(self, name, tuple(float(x) for x in getattr(self, name)))
        if len(self.mean) != len(self.std) or not np.isfinite([*self.mean, *self.std]).all() or min(self.std, default=0) < 0:
            raise ArgumentError("Standardization: there are as many means as standard deviations, all of them finite numbers.")

    @classmethod
    def fit(cls, data: Any) -> Standardization:
        """Measured, in float64, on an array or the inputs of a data set: on its training part, so that nothing is learned of the
        others. Axis 1 is kept (columns, channels), all other axes are averaged over; with one axis, all are. Raises DataError.
        """
        inputs = checked(data)
        axes = tuple(k for k in range(inputs.ndim) if k != 1)
        mean, std = inputs.mean(axes, dtype=np.float64), inputs.std(axes, dtype=np.float64)
        if not np.isfinite(std).all():
            (data if isinstance(data, Dataset) else Dataset(inputs, None, "array")).checked()
            raise DataError("Standardization: the numbers are too large for a standard deviation. Scale them down.")
        return cls(tuple(np.ravel(mean)), tuple(np.ravel(std)))

    def __call__(self, data: Any) -> Any:
        """An array, or a data set with its inputs, shifted and scaled, in its dtype; a constant column is only shifted."""
        return self.applied(data, lambda x, mean, scale: (x - mean) / scale)

    def inverse(self, data: Any) -> Any:
        """What `__call__` made, as it was."""
        return self.applied(data, lambda x, mean, scale: x * scale + mean)

    def applied(self, data: Any, f: Any) -> Any:
        inputs = checked(data)
        count = inputs.shape[1] if inputs.ndim > 1 else 1
        if count != len(self.mean):
            raise DataError(f"Standardization: it was fitted on {len(self.mean)} columns, and there are {count}. Give the same.")
        shape = (-1, *[1] * (inputs.ndim - 2))
        mean, std = (np.reshape(np.array(x), shape) for x in (self.mean, self.std))
        made = f(inputs, mean, np.where(std == 0, 1.0, std)).astype(inputs.dtype)
        return replace(data, inputs=made) if isinstance(data, Dataset) else made


def checked(data: Any) -> np.ndarray[Any, Any]:
    inputs = data.inputs if isinstance(data, Dataset) else data
    if not isinstance(inputs, np.ndarray) or inputs.dtype.kind != "f" or not inputs.size:
        raise ArgumentError("Standardization: it is for one array of floating numbers with rows. Convert the inputs with astype.")
    return inputs
