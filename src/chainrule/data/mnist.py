"""MNIST is images of one size and their labels, in four IDX files; other data sets are published in the same form."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import DataError

from .dataset import Dataset, floating, names_of
from .download import Published, download
from .files import Place, named
from .idx import idx

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
FILES = {  # images and labels: to train on, to test
    True: (Published("train-images-idx3-ubyte.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
           Published("train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c")),
    False: (Published("t10k-images-idx3-ubyte.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            Published("t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6")),
}
FOLDERS = ("", "raw", "MNIST/raw")  # torchvision keeps them in the last


def mnist(folder: Place, *, train: bool = True, download: bool = False, classes: Any = tuple(range(10)), dtype: Any = np.float32,
          limit: int | None = None) -> Dataset:
    """Images (rows, 1, height, width) from 0 to 1 and labels (rows,) int64, from MNIST's files, or others in their form.

    The files are train-images-idx3-ubyte, train-labels-idx1-ubyte, and the same with t10k for `train=False`, as they are or as
    .gz. `download` fetches MNIST's own into the folder, if they are not there, and checks them. `classes` are the names of the
    labels 0, 1, ...; by default, the ten digits. Raises DataError for files that are missing or damaged, that do not belong
    together, and for labels out of range.

    Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", 1998: 60,000 and 10,000 images.

    >>> mnist("nowhere")
    Traceback (most recent call last):
    chainrule.errors.DataError: nowhere holds no train-images-idx3-ubyte.gz. Put it there, or say download=True.
    """
    dtype = floating(dtype)
    paths = [located(Path(folder), file, download) for file in FILES[train]]
    images, labels = (idx(path, limit=limit) for path in paths)
    for path, array, axes, dtypes in zip(paths, (images, labels), (3, 1), ("u", "ui")):
        if array.ndim != axes or array.dtype.kind not in dtypes:
            raise DataError(f"{named(path)} has shape {array.shape} of {array.dtype}, which does not belong there. Exchange it.")
    if len(images) != len(labels):
        raise DataError(f"{named(paths[0])} has {len(images)} images, and {named(paths[1])} {len(labels)} labels. Take both from "
                        "one data set.")
    inputs = images[:, None].astype(dtype) / dtype.type(255)
    kind = "training images" if train else "test images"
    return Dataset(inputs, labels.astype(np.int64), f"{named(folder)}: {kind}", classes=names_of(classes)).checked()


def located(folder: Path, file: Published, fetch: bool) -> Path:
    """Where the file is: under one of its names, or just downloaded."""
    bare = file.name.removesuffix(".gz")
    for name in (bare, file.name, bare.replace("-idx", ".idx"), file.name.replace("-idx", ".idx")):
        for below in FOLDERS:
            if os.path.exists(folder / below / name):  # unlike Path.exists, of any text
                return folder / below / name
    if fetch:
        return download(file, folder, MIRRORS)
    raise DataError(f"{named(folder)} holds no {file.name}. Put it there, or say download=True.")
