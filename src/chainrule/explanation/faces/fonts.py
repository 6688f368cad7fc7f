"""A font for pictures in pixels is monospaced and has our signs: one of the system's, or one that another package carries."""
from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from chainrule.errors import ArgumentError

FAMILIES = ("DejaVu Sans Mono", "Menlo", "Consolas", "Cascadia Mono", "Liberation Mono", "Noto Sans Mono", "Ubuntu Mono",
            "FreeMono", "Courier New")
SIGNS, NOWHERE = "A▲▼Σ×∂⊞⊂←", "\U0010fffd"  # what we write; a character that no font has
PROBE = ('<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"><text x="2" y="18" font-size="16" '
         'font-family="{}">{}</text></svg>')
Options = dict[str, Any]  # of resvg_py.svg_to_bytes


@contextmanager
def fonts(render: Callable[..., bytes], *, system: bool = True) -> Iterator[Options]:
    """The options with which `render` draws text: which family stands for any monospaced one, and the files it is in.

    Taken is the first family that has all our signs, or else the one that has most of them. Raises ArgumentError where there is
    none: a renderer leaves text out without a word.
    """
    with tempfile.TemporaryDirectory() as folder:
        best, most = Options(), 0
        for source in SOURCES:
            files = source(Path(folder))
            for family in FAMILIES if files is not None and most < len(SIGNS) else ():
                options = {"monospace_family": family, "font_files": files, "skip_system_fonts": not system}
                drawn = signs_drawn(render, family, options)
                best, most = max((best, most), (options, drawn), key=lambda choice: choice[1])
        if not most:
            raise ArgumentError("no font was found to draw text with. Install a monospaced one, such as DejaVu Sans Mono, or: "
                                "pip install pymupdf-fonts.")
        yield best


def signs_drawn(render: Callable[..., bytes], family: str, options: Options) -> int:
    """How many of our signs leave a mark that is not the one for what is missing."""
    blank, first, missing = (render(svg_string=PROBE.format(family, sign), **options) for sign in ("", SIGNS[0], NOWHERE))
    if first == blank:
        return 0
    return sum(render(svg_string=PROBE.format(family, sign), **options) not in (blank, missing) for sign in SIGNS)


def of_system(folder: Path) -> list[str] | None:
    return []


def of_matplotlib(folder: Path) -> list[str] | None:
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return None
    fonts = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    return [str(file) for file in (fonts / "DejaVuSansMono.ttf", fonts / "DejaVuSansMono-Bold.ttf") if file.exists()] or None


def of_pymupdf(folder: Path) -> list[str] | None:
    """Cascadia Mono, and Noto Sans Math for what it lacks, unpacked into a folder."""
    if find_spec("pymupdf_fonts") is None:
        return None
    from pymupdf_fonts import myfont  # carries fonts as data
    files = {folder / f"{name}.ttf": name for name in ("cascadia", "cascadiab", "math")}
    for file, name in files.items():
        file.write_bytes(myfont(name))
    return list(map(str, files))


SOURCES = (of_system, of_matplotlib, of_pymupdf)
"""Where fonts come from, tried in turn; None where there are none."""
