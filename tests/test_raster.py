"""Pictures in pixels have the size asked for, all their text, and are put in their place whole."""
import io
import re
import struct
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from resvg_py import svg_to_bytes

from chainrule.errors import ArgumentError
from chainrule.explanation.faces import fonts as fonts_module
from chainrule.explanation.faces import raster
from chainrule.explanation.faces.fonts import SIGNS, fonts, signs_drawn
from chainrule.explanation.faces.raster import animation, png
from chainrule.explanation.faces.slides import slides
from chainrule.explanation.faces.steps import steps
from chainrule.explanation.language.examples import EXAMPLES

GEARS = EXAMPLES["gears"].explain()


def image(content):
    return Image.open(io.BytesIO(content)).convert("RGB")


def size_of(svg):
    return tuple(map(int, re.search(r'width="(\d+)" height="(\d+)"', svg).groups()))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_png_has_its_scale_in_pixels(scale):
    svg = GEARS.svg()
    width, height = struct.unpack(">II", png(svg, scale=scale)[16:24])
    assert np.allclose((width, height), np.array(size_of(svg)) * scale, atol=1)


def test_a_png_is_written_where_it_is_asked_for(tmp_path):
    path = tmp_path / "gears.png"
    assert png(GEARS.svg(), path, scale=0.5) == path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ArgumentError, match=r"there is no folder .*nowhere"):
        png(GEARS.svg(), tmp_path / "nowhere" / "gears.png", scale=0.5)


def test_the_text_is_drawn():
    svg = GEARS.svg()
    without = re.sub(r"<text.*?</text>", "", svg)
    marks = np.any(np.array(image(png(svg))) != np.array(image(png(without))), axis=2)
    for x, y in re.findall(r'<text class="name" x="([\d.]+)" y="([\d.]+)"', svg)[:1]:
        assert marks[int(2 * float(y)) - 18:int(2 * float(y)), int(2 * float(x)):int(2 * float(x)) + 40].any()
    assert marks.sum() > 100 * svg.count("<text")


def test_dark_is_painted_dark_and_light_light():
    svg = GEARS.svg()
    assert np.array(image(png(svg)))[0, 0].tolist() == [255, 255, 255]
    assert np.array(image(png(svg, dark=True)))[0, 0].max() < 40


def test_slides_have_the_colours_they_say():
    light, dark = (image(png(slides(GEARS, dark=dark)[0], scale=1)) for dark in (False, True))
    assert light.size == dark.size == (1280, 720)
    assert min(light.getpixel((2, 700))) > 250
    assert max(dark.getpixel((2, 700))) < 40


def test_no_piece_of_an_edge_is_without_length():
    svg = EXAMPLES["two-layer"].explain().svg()  # a renderer takes the direction of an arrow from the last piece
    for path in re.findall(r' d="(.*?)"', svg):
        points = re.findall(r"([\d.]+) ([\d.]+)(?=[LC]|$)", path)
        assert all(a != b for a, b in pairwise(points))


def test_every_sign_we_write_is_in_the_font():
    with fonts(svg_to_bytes) as options:
        assert signs_drawn(svg_to_bytes, options["monospace_family"], options) == len(SIGNS)


def test_without_any_font_there_is_an_error_and_no_empty_picture(monkeypatch):
    monkeypatch.setattr(fonts_module, "SOURCES", (fonts_module.of_system,))
    with pytest.raises(ArgumentError, match="no font was found"), fonts(svg_to_bytes, system=False):
        pass


def test_a_font_that_a_package_carries_is_taken_where_the_system_has_none(monkeypatch):
    def render(svg_string, monospace_family, font_files, skip_system_fonts):
        return svg_string.encode() if font_files and monospace_family == "Cascadia Mono" and "Cascadia" in svg_string else b""

    monkeypatch.setitem(sys.modules, "pymupdf_fonts", type("Fonts", (), {"myfont": staticmethod(str.encode), "__spec__": True}))
    monkeypatch.setattr(fonts_module, "SOURCES", (fonts_module.of_system, fonts_module.of_pymupdf))
    with fonts(render) as options:
        assert options["monospace_family"] == "Cascadia Mono"
        assert [Path(file).read_bytes() for file in options["font_files"]] == [b"cascadia", b"cascadiab", b"math"]


@pytest.mark.parametrize(("svg", "scale", "says"), [
    ("<p>no picture</p>", 1.0, "no SVG that can be drawn"), (GEARS.svg(), 0.0, "scale is a number above 0, not 0.0"),
    (GEARS.svg(), float("nan"), "scale is a number above 0"), (GEARS.svg(), 1000.0, "more than 100,000,000 pixels; take")])
def test_what_cannot_be_drawn_is_an_error(svg, scale, says):
    with pytest.raises(ArgumentError, match=says):
        png(svg, scale=scale)


def test_the_scale_that_an_error_proposes_is_small_enough():
    for side in (3000, 12345, 99999):
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}"></svg>'
        with pytest.raises(ArgumentError) as caught:
            png(svg, scale=50.0)
        raster.must_be_drawable(svg, float(re.search(r"at most ([\d.]+),", str(caught.value))[1]))


@pytest.mark.parametrize(("library", "call"), [
    ("resvg_py", lambda folder: png(GEARS.svg())), ("PIL", lambda folder: animation(GEARS, folder / "gears.gif")),
    ("imageio_ffmpeg", lambda folder: animation(GEARS, folder / "gears.mp4", scale=0.1))])
def test_a_library_that_is_missing_is_named(library, call, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ArgumentError, match=r"needs the library .*: pip install"):
        call(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_an_animation_has_a_frame_for_each_step_and_the_last_stays_longer(suffix, tmp_path):
    path = tmp_path / f"gears{suffix}"
    animation(GEARS, path, seconds=0.5, scale=0.25)
    with Image.open(path) as film:
        assert film.size == (320, 180)
        assert film.n_frames == len(steps(GEARS))
        assert film.info["loop"] == 0
        frames, times = [], []
        for k in range(film.n_frames):
            film.seek(k)
            film.load()
            frames.append(np.array(film.convert("RGB")).astype(int))
            times.append(film.info.get("duration"))
    assert times == [500] * (len(times) - 1) + [1250]
    for slide, frame in zip(slides(GEARS), frames):
        assert np.abs(frame - np.array(image(png(slide, scale=0.25)))).mean() < 4  # a GIF has few colours
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_last_frame_of_a_dark_animation_is_dark(tmp_path):
    animation(GEARS, tmp_path / "gears.gif", scale=0.1, dark=True)
    with Image.open(tmp_path / "gears.gif") as film:
        film.seek(film.n_frames - 1)
        assert np.array(film.convert("RGB")).mean() < 80


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "gears.gif"
    path.write_bytes(b"old")

    def half(beside, frames, times):
        beside.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setitem(raster.WRITERS, ".gif", half)
    with pytest.raises(OSError, match="disk full"):
        animation(GEARS, path, scale=0.1)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "options", "says"), [
    ("gears.avi", {}, r"'gears.avi' does not say what to write; a name may end in .gif, .webp, .mp4"),
    ("gears", {}, "does not say what to write"), ("gears.gif", {"seconds": 0}, "shown for 0.02 to 60 seconds, not 0"),
    ("gears.gif", {"seconds": float("nan")}, "shown for 0.02 to 60 seconds"), ("nowhere/gears.gif", {}, "there is no folder")])
def test_an_animation_that_cannot_be_is_an_error_before_anything_is_drawn(name, options, says, tmp_path, monkeypatch):
    monkeypatch.setattr(raster, "slides", None)
    with pytest.raises(ArgumentError, match=says):
        animation(GEARS, tmp_path / name, **options)
    assert not list(tmp_path.iterdir())
