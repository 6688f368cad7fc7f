"""A raster is a picture in pixels: PNG of a drawing, or the steps as an animation, for places that take no SVG."""
from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from chainrule.errors import ArgumentError

from ..record.facts import Facts
from .fonts import fonts
from .slides import slides

MISSING = 'needs the library {}: pip install "chainrule[pictures]".'
DARK_RULES = re.compile(r"@media \(prefers-color-scheme: dark\) \{((?:[^{}]*\{[^{}]*\})*)[^{}]*\}")
SIZE = re.compile(r'<svg[^>]*\bwidth="([\d.]+)"[^>]*\bheight="([\d.]+)"')
MOST_PIXELS = 100_000_000
COLOURS, RATE = 128, 10  # of a GIF; frames of a film in a second
SHORTEST, LONGEST, LAST = 0.02, 60, 2.5  # seconds for a step; how much longer the last is shown


def png(svg: str, path: str | Path | None = None, *, scale: float = 2.0, dark: bool = False) -> bytes:
    """An SVG drawing as the bytes of a PNG file, with `scale` times as many pixels along each side; written to a path, if given.

    `dark` takes the drawing's colours for a dark page, where it has such. Needs resvg-py. Raises ArgumentError where that or a
    font is missing, for what is no SVG, and for more than 100 million pixels.

    >>> import chainrule as cr
    >>> w = cr.tensor(3.0, requires_grad=True, name="w")
    >>> png(cr.explain(2.0 * w).svg())[:4]
    b'\\x89PNG'
    """
    drawn = pixels([svg], scale, dark)[0]
    if path is not None:
        put_in_place(Path(path), lambda beside: beside.write_bytes(drawn))
    return drawn


def pixels(drawings: Sequence[str], scale: float, dark: bool) -> list[bytes]:
    """The drawings as PNG files."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise ArgumentError(f"a picture in pixels {MISSING.format('resvg-py')}") from None
    for svg in drawings:
        must_be_drawable(svg, scale)
    with fonts(svg_to_bytes) as options:
        try:
            return [svg_to_bytes(svg_string=DARK_RULES.sub(r"\1" if dark else "", svg), zoom=scale, **options)
                    for svg in drawings]
        except ValueError as error:
            raise ArgumentError(f"png: this is no SVG that can be drawn: {error}.") from None


def must_be_drawable(svg: str, scale: float) -> None:
    if not scale > 0:
        raise ArgumentError(f"png: scale is a number above 0, not {scale!r}.")
    found = SIZE.search(svg)
    width, height = map(float, found.groups()) if found else (0.0, 0.0)
    if width * height * scale ** 2 > MOST_PIXELS:
        raise ArgumentError(f"png: {width:.0f} × {height:.0f} at scale {scale:g} are more than {MOST_PIXELS:,} pixels; take a "
                            f"scale of at most {0.99 * (MOST_PIXELS / width / height) ** 0.5:.3g}, or keep the SVG.")


# ---------------------------------------------------------------------------------------- animations
def animation(e: Facts, path: str | Path, *, seconds: float = 1.2, dark: bool = False, scale: float = 1.0) -> None:
    """Write the slides one after the other, each shown for so many seconds, as .gif, .webp or .mp4, by the file's name.

    Needs resvg-py and Pillow; .mp4 imageio-ffmpeg, too. The file is written beside its place and put there when it is whole.
    Raises ArgumentError for another ending, and where a library or a font is missing; OSError.

    >>> import chainrule as cr, pathlib, tempfile
    >>> w = cr.tensor(3.0, requires_grad=True, name="w")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "w.gif")
    ...     animation(cr.explain(2.0 * w), path, scale=0.25)
    ...     path.read_bytes()[:3]
    b'GIF'
    """
    path = Path(path)
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise ArgumentError(f"animation: {path.name!r} does not say what to write; a name may end in {', '.join(WRITERS)}.")
    if not SHORTEST <= seconds <= LONGEST:
        raise ArgumentError(f"animation: a step is shown for {SHORTEST} to {LONGEST} seconds, not {seconds!r}.")
    must_have_folder(path)
    try:
        from PIL import Image
    except ImportError:
        raise ArgumentError(f"an animation {MISSING.format('Pillow')}") from None
    drawn = pixels(slides(e, dark=dark), scale, dark)
    frames = (Image.open(io.BytesIO(frame)).convert("RGB") for frame in drawn)  # one at a time: in memory they are large
    times = [seconds] * (len(drawn) - 1) + [LAST * seconds]
    put_in_place(path, lambda beside: write(beside, frames, times))


def must_have_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise ArgumentError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to.")


def put_in_place(path: Path, write: Callable[[Path], Any]) -> None:
    """Let a file be written beside its place, and rename it when it is whole."""
    must_have_folder(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        beside = Path(folder) / path.name
        write(beside)
        os.replace(beside, path)


def gif(path: Path, frames: Iterator[Any], times: Sequence[float]) -> None:
    few = (frame.quantize(COLOURS, dither=0) for frame in frames)  # dithering would flicker
    saved(path, few, times, format="GIF", optimize=False)


def webp(path: Path, frames: Iterator[Any], times: Sequence[float]) -> None:
    saved(path, frames, times, format="WEBP", lossless=True, method=4, kmin=0, kmax=0)  # only the first frame is stored whole


def saved(path: Path, frames: Iterator[Any], times: Sequence[float], **options: Any) -> None:
    milliseconds = [round(1000 * time) for time in times]
    next(frames).save(path, save_all=True, append_images=frames, duration=milliseconds, loop=0, **options)


def mp4(path: Path, frames: Iterator[Any], times: Sequence[float]) -> None:
    try:
        from imageio_ffmpeg import write_frames
    except ImportError:
        raise ArgumentError("an .mp4 file needs the library imageio-ffmpeg: pip install imageio-ffmpeg. Without it there are "
                            f"{', '.join(suffix for suffix in WRITERS if suffix != '.mp4')}.") from None
    film = None
    for frame, time in zip(frames, times):
        width, height = (side - side % 2 for side in frame.size)  # the format has one colour for two by two pixels
        if film is None:
            film = write_frames(str(path), (width, height), fps=RATE, macro_block_size=2, ffmpeg_log_level="error")
            film.send(None)
        for _ in range(max(1, round(time * RATE))):
            film.send(frame.crop((0, 0, width, height)).tobytes())
    film.close()


WRITERS: dict[str, Callable[[Path, Iterator[Any], Sequence[float]], None]] = {".gif": gif, ".webp": webp, ".mp4": mp4}
