"""An image folder has a folder for each class, and in it the images of that class."""
from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError

from .dataset import Dataset, floating, names_of
from .files import Place, content, file_name, must_be_allowed, named, refusing, shown

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP", ".ppm": "PPM",
           ".pgm": "PPM"}
MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}  # 8 bits a channel; others would be cut off in silence
IGNORED = {"Thumbs.db", "desktop.ini"}  # like hidden files: file managers put them there


def images(folder: Place, *, size: int | tuple[int, int] | None = None, grey: bool = False, classes: Any = None,
           dtype: Any = np.float32, limit: int | None = None) -> Dataset:
    """The images in a folder with a folder for each class: inputs (rows, channels, height, width) from 0 to 1, targets int64.

    Classes and files are in the order of their names; `classes` fixes others, of images to which something learned is applied.
    There are 3 channels (red, green, blue), or 1 if `grey`; transparency is dropped. All images have the size of the first,
    unless `size`, a side or (height, width), resizes them (bilinear, without keeping proportions). PNG, JPEG, BMP, GIF (its first
    picture), WebP, PPM and PGM with 8 bits a channel. limit: bytes one image may unpack to; else 64 MiB or 64 times its size.

    Needs Pillow: pip install 'chainrule[data]'. Raises DataError, which names the file, for what is no such image, of another
    size, or a link that leads out of the folder; ArgumentError without Pillow.
    """
    dtype, wanted = floating(dtype), None if size is None else height_and_width(size)
    root = Path(folder)
    names = [path.name for path in entries(root, folders=True)]
    known = names_of(names if classes is None else classes) or ()
    strange = sorted(set(names) - set(known))
    if strange:
        raise DataError(f"{named(root / strange[0])} is none of the classes {', '.join(map(shown, known[:10]))}. Move it away.")
    files = [(path, known.index(name)) for name in names for path in entries(root / name, folders=False)]
    if not files:
        raise DataError(f"{named(folder)} holds no images. Put those of each class into a folder named like it.")
    inputs = None
    for row, (path, _) in enumerate(files):
        pixels = decoded(path, wanted, grey, limit)
        if inputs is None:  # made once the first image is there: its size is not just claimed
            inputs = np.empty((len(files), *pixels.shape), dtype)
        if pixels.shape != inputs.shape[1:]:
            raise DataError(f"{named(path)} is {sides(pixels)} pixels, and {named(files[0][0])} {sides(inputs[0])}. Say size= to "
                            "resize them all.")
        np.divide(pixels, 255, out=inputs[row], casting="unsafe")
    return Dataset(inputs, np.array([label for _, label in files], np.int64), file_name(folder), classes=known)


def height_and_width(size: Any) -> tuple[int, int]:
    both = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(both) != 2 or not all(isinstance(side, int) and side > 0 for side in both):
        raise ArgumentError(f"size={shown(size)}: it is a whole number of pixels from 1 up, or (height, width).")
    return both


def sides(pixels: np.ndarray[Any, Any]) -> str:
    return f"{pixels.shape[2]} x {pixels.shape[1]}"


def entries(folder: Path, *, folders: bool) -> Iterator[Path]:
    """What a folder holds, in the order of names, hidden files left out. Raises DataError where there is something else in it."""
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in IGNORED)
    except (OSError, ValueError) as error:
        raise DataError(f"{named(folder)} is no folder that can be read: {getattr(error, 'strerror', None) or error}.") from None
    inside = os.path.realpath(folder)
    for path in found:
        real = os.path.realpath(path)
        if os.path.commonpath([inside, real]) != inside:
            raise DataError(f"{named(path)} is a link that leads out of the folder. Copy what it leads to.")
        if os.path.isdir(real) != folders:
            wanted = "a folder, one for each class" if folders else "an image"
            raise DataError(f"{named(path)} is not {wanted}. Remove it, or rename it to begin with a dot.")
        yield path


def decoded(path: Path, size: tuple[int, int] | None, grey: bool, limit: int | None) -> np.ndarray[Any, Any]:
    """The pixels of an image, (channels, height, width) from 0 to 255."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ArgumentError("images need the library Pillow: pip install 'chainrule[data]'.") from None
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{named(path)} is no image by its name. Images end in {', '.join(FORMATS)}.")
    data = content(path, limit)
    with refusing(path, f"{kind} image"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what is refused below, and of oddities that do not matter
        try:
            opened = Image.open(io.BytesIO(data), formats=[kind])
        except UnidentifiedImageError:  # which tells where in memory the file is
            raise ValueError("it does not begin like one") from None
        with opened as image:
            must_be_allowed(path, image.width * image.height * 4, len(data), limit)
            if image.mode not in MODES:
                raise DataError(f"{named(path)} does not have 8 bits a channel (mode {image.mode}). Convert it to PNG with 8.")
            converted = image.convert("L" if grey else "RGB")
        if size is not None:
            converted = converted.resize(size[::-1], Image.Resampling.BILINEAR)
        pixels = np.asarray(converted)
    return pixels[None] if grey else pixels.transpose(2, 0, 1)
