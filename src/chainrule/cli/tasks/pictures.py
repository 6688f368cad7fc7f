"""Pictures of one size, asked about: an image file, an .npz file of arrays, or a CSV file with a row of pixels for each."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.files import named
from chainrule.data.images import FORMATS, decoded
from chainrule.data.npz import Arrays, npz
from chainrule.data.table import table
from chainrule.errors import DataError
from chainrule.nn.module import Module
from chainrule.train.trainer import predictions

from ..answer import Answer, of_classes

INK = "light ink on dark paper was expected: the picture was inverted"


def answered(model: Module, path: str, shape: tuple[int, int, int], classes: Sequence[str], *, flat: bool = False) -> Answer:
    """What a network says of pictures of this shape (channels, height, width), which it takes so, or `flat` as rows of pixels."""
    data, notes = read(Path(path), shape)
    inputs = data.inputs.reshape(len(data), *((-1,) if flat else shape))
    answer = of_classes(predictions(model, inputs), classes, data.targets)
    return replace(answer, said=[*notes, *answer.said])


def read(path: Path, shape: tuple[int, int, int]) -> tuple[Dataset, list[str]]:
    """The pictures in a file, and what is to be said of them. Raises DataError."""
    suffix = path.suffix.lower()
    if suffix in FORMATS:
        pixels = decoded(path, shape[1:], shape[0] == 1, None).astype(np.float32) / 255
        edge = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1)
        dark = bool(np.median(edge) > 0.5)
        return Dataset(1 - pixels[None] if dark else pixels[None], None), [INK] if dark else []
    if suffix == ".npz":
        names = Arrays(path).members
        data = npz(path, "inputs" if "inputs" in names or len(names) != 1 else next(iter(names)),
                   "targets" if "targets" in names else None)
    else:
        data = table(path, None, header=None)
    return pixels_of(data, path, shape), []


def pixels_of(data: Dataset, path: Path, shape: tuple[int, int, int]) -> Dataset:
    """The data, if their rows are pictures. Raises DataError."""
    count = int(np.prod(shape))
    if np.prod(data.inputs.shape[1:]) != count:
        raise DataError(f"{named(path)}: its rows have {np.prod(data.inputs.shape[1:]):.0f} numbers, and a picture of "
                        f"{shape[1]} x {shape[2]} has {count}. Give an image file, or rows of {count} pixels.")
    rows = data.inputs.reshape(len(data), count)
    wrong = np.argwhere((rows < 0) | (rows > 1))
    if len(wrong):
        row, column = map(int, wrong[0])
        raise DataError(f"{named(path)}: pixel {column} of row {row} is {rows[row, column]:g}, and pixels are from 0 (paper) to "
                        "1 (ink). Divide them by their largest value.")
    return data
