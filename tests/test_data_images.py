"""Image folders: what is read, resized and refused."""
import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.errors import ArgumentError, DataError

COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


def folder_of(root, ending="png", size=(6, 4), mode="RGB"):
    """Two images in each of the classes blue, green and red, width 6 and height 4."""
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for k in range(2):
            Image.new("RGB", size, colour).convert(mode).save(root / name / f"{k}.{ending}")
    return root


@pytest.mark.parametrize("ending", ["png", "bmp", "webp", "gif", "ppm", "JPG", "jpeg"])
def test_each_folder_is_a_class(tmp_path, ending):
    data = cr.data.images(folder_of(tmp_path / "colours", ending))
    assert (data.inputs.shape, data.inputs.dtype, data.targets.dtype) == ((6, 3, 4, 6), np.float32, np.int64)
    assert (data.classes, data.targets.tolist(), data.name) == (("blue", "green", "red"), [0, 0, 1, 1, 2, 2], "colours")
    for row, name in enumerate(["blue", "blue", "green", "green", "red", "red"]):
        for channel in range(3):
            np.testing.assert_allclose(data.inputs[row, channel], COLOURS[name][channel] / 255, atol=0.02)


def test_pixels_are_where_they_were(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    (tmp_path / "class").mkdir()
    Image.fromarray(pixels).save(tmp_path / "class" / "a.png")
    (tmp_path / ".hidden").write_text("")
    (tmp_path / "class" / "Thumbs.db").write_text("")
    data = cr.data.images(tmp_path, dtype=np.float64)
    np.testing.assert_array_equal(data.inputs[0], pixels.transpose(2, 0, 1) / 255)
    grey = cr.data.images(tmp_path, grey=True)
    np.testing.assert_allclose(grey.inputs[0, 0], pixels @ [0.299, 0.587, 0.114] / 255, atol=0.003)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1"])
def test_other_modes_become_colours(tmp_path, mode):
    assert cr.data.images(folder_of(tmp_path / "a", mode=mode)).inputs.shape == (6, 3, 4, 6)


@pytest.mark.parametrize("size, shape", [(8, (8, 8)), ((3, 5), (3, 5))])
def test_images_are_resized_to_one_size(tmp_path, size, shape):
    Image.new("RGB", (20, 30), "red").save(folder_of(tmp_path) / "red" / "z.png")
    with pytest.raises(DataError, match=r"z.png is 20 x 30 pixels, and .*0.png 6 x 4. Say size= to resize them all"):
        cr.data.images(tmp_path)
    data = cr.data.images(tmp_path, size=size)
    assert data.inputs.shape == (7, 3, *shape) and (data.inputs[-1, 0] == 1).all()


def test_classes_learned_serve_other_images(tmp_path):
    other = tmp_path / "other"
    (other / "red").mkdir(parents=True)
    Image.new("RGB", (6, 4), "red").save(other / "red" / "a.png")
    learned = cr.data.images(folder_of(tmp_path / "colours")).classes
    assert cr.data.images(other, classes=learned).targets.tolist() == [2]
    with pytest.raises(DataError, match=r"red is none of the classes 'blue', 'green'"):
        cr.data.images(other, classes=("blue", "green"))


@pytest.mark.parametrize("name, message", [
    ("red/notes.txt", r"notes.txt is no image by its name. Images end in .png"), ("notes.txt", r"notes.txt is not a folder"),
    ("red/inner/a.png", "inner is not an image"), ("red/a.png", r"a.png is empty")])
def test_what_does_not_belong_is_named(tmp_path, name, message):
    path = folder_of(tmp_path) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=message):
        cr.data.images(tmp_path)


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        cr.data.images(tmp_path)
    for size in (0, -1, 2.5, (3, 0), "8", (1, 2, 3)):
        with pytest.raises((ArgumentError, ValueError)):
            cr.data.images(tmp_path, size=size)


def test_without_pillow_one_line_says_what_to_install(tmp_path, monkeypatch):
    folder_of(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ArgumentError, match=r"pip install 'chainrule\[data\]'"):
        cr.data.images(tmp_path)
