"""The digits are 1,797 small handwritten numbers that come with the package: real data that need no network."""
from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from .dataset import Dataset


@cache
def digits() -> Dataset:
    """1,797 handwritten digits: inputs (1797, 64), 8 x 8 pixels from 0 to 1 in float32; targets (1797,), 0 to 9 in int64.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
    https://doi.org/10.24432/C50P49, licence CC BY 4.0; the test part, by 13 writers, as scikit-learn ships it.

    >>> import chainrule as cr
    >>> cr.data.digits().inputs.shape
    (1797, 64)
    """
    with files("chainrule.data").joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        images, labels = stored["images"], stored["labels"]
    inputs = images.reshape(len(images), -1).astype(np.float32) / 16
    targets = labels.astype(np.int64)
    for array in (inputs, targets):
        array.flags.writeable = False  # one copy serves all callers
    return Dataset(inputs, targets, "digits", classes=tuple("0123456789"))

