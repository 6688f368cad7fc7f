"""Data sets: parts and folds, checks, standardization, and the arrays, digits and downloads they are read from."""
import gzip
import hashlib
import http.server
import json
import os
import struct
import sys
import threading
from collections import Counter
from dataclasses import asdict
from functools import partial

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Dataset, Standardization
from chainrule.errors import ArgumentError, DataError

COUNT = 103
LABELS = np.repeat(np.arange(4), [60, 30, 12, 1])
DATA = Dataset(np.arange(COUNT, dtype=np.float32)[:, None], LABELS, "points", classes=("a", "b", "c", "d"), columns=("place",))


def places(*parts):
    return [int(p) for part in parts for p in part.inputs[:, 0]]


# ---------------------------------------------------------------------------------------- parts
@pytest.mark.parametrize("shares, sizes", [((), (82, 21)), ((0.2,), (82, 21)), ((0.1, 0.3), (62, 10, 31)),
                                           ((0.5, 0.2, 0.2), (9, 52, 21, 21))])
def test_shares_are_held_out_and_every_row_is_in_one_part(shares, sizes):
    parts = DATA.split(*shares, seed=3)
    assert tuple(map(len, parts)) == sizes
    assert sorted(places(*parts)) == list(range(COUNT))
    assert places(*parts) == places(*DATA.split(*shares, seed=3))
    assert places(*parts) != places(*DATA.split(*shares, seed=4))
    assert all(part.classes == DATA.classes and part.columns == DATA.columns for part in parts)


def test_a_stratified_split_has_the_share_of_every_class():
    parts = DATA.split(0.2, 0.1, stratified=True)
    assert sorted(places(*parts)) == list(range(COUNT))
    counts = [Counter(part.targets.tolist()) for part in parts]
    assert counts == [{0: 42, 1: 21, 2: 9, 3: 1}, {0: 12, 1: 6, 2: 2}, {0: 6, 1: 3, 2: 1}]
    assert (np.diff(parts[0].targets) != 0).sum() > 20  # in random order, not class by class


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("count", [2, 5, 103])
def test_folds_hold_out_each_row_once(count, stratified):
    folds = list(DATA.folds(count, seed=1, stratified=stratified))
    assert len(folds) == count
    assert sorted(places(*(held_out for _, held_out in folds))) == list(range(COUNT))
    for seen, held_out in folds:
        assert sorted(places(seen, held_out)) == list(range(COUNT))
        assert abs(len(held_out) - COUNT / count) < 1
        if stratified:
            counts, all_counts = (np.bincount(labels, minlength=4) for labels in (held_out.targets, LABELS))
            assert (abs(counts - all_counts / count) < 1).all()


def test_shuffled_rows_stay_together():
    shuffled = DATA.shuffled(5)
    assert places(shuffled) == places(DATA.shuffled(5))
    assert sorted(places(shuffled)) == list(range(COUNT))
    assert places(shuffled) != list(range(COUNT))
    assert (LABELS[places(shuffled)] == shuffled.targets).all()


def test_inputs_and_targets_may_be_trees():
    data = Dataset({"left": np.arange(6.0), "right": (np.arange(12).reshape(6, 2),)}, None)
    assert len(data) == 6 and data.targets is None
    first, second = data.batches(4)
    assert first.inputs["right"][0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]] and second.targets is None
    assert second.inputs["left"].tolist() == [4, 5]
    with pytest.raises(DataError, match="there are 2, 3 rows of inputs and no targets"):
        Dataset((np.zeros(2), np.zeros(3)), None)


@pytest.mark.parametrize("wrong, message", [
    (lambda: DATA.split(0.0), "share between 0 and 1"), (lambda: DATA.split(0.6, 0.5), "share between 0 and 1"),
    (lambda: DATA.split(0.001), "the parts would have 103, 0 rows"), (lambda: next(DATA.folds(1)), "from 2 to 103 folds"),
    (lambda: next(DATA.folds(104)), "from 2 to 103 folds"),
    (lambda: Dataset(np.zeros(9), np.zeros(9)).split(stratified=True), "one class for each row")])
def test_parts_that_cannot_be_are_refused(wrong, message):
    with pytest.raises((ArgumentError, DataError), match=message):
        wrong()


# ---------------------------------------------------------------------------------------- checks
def test_a_number_that_is_none_is_named_with_its_row_and_column():
    inputs = np.zeros((50, 3), np.float32)
    inputs[17, 2] = np.inf
    data = Dataset(inputs, np.zeros(50, np.int64), "points.npz", columns=("x", "y", "z"))
    with pytest.raises(DataError, match=r"^points.npz: inputs\[17, 2\] \(column 'z'\) is inf. Correct it, or leave row 17"):
        data.checked()
    with pytest.raises(DataError, match=r"targets\[1\] is nan"):
        Dataset(np.zeros(2), np.array([0.0, np.nan])).checked()
    with pytest.raises(DataError, match=r"inputs.a.0\[1, 0\] is nan"):
        Dataset({"a": [np.array([[0.0], [np.nan]])]}, None).checked()


@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_out_of_range_is_named_with_its_row(label):
    targets = LABELS.copy()
    targets[31] = label
    with pytest.raises(DataError, match=rf"points: targets\[31\] is {label}, but the 4 classes are 0 to 3"):
        Dataset(DATA.inputs, targets, "points", classes=DATA.classes).checked()
    assert DATA.checked() is DATA


# ---------------------------------------------------------------------------------------- standardization
@pytest.mark.parametrize("shape", [(50,), (50, 3), (50, 3, 4, 5)])
def test_standardized_columns_and_channels_have_mean_0_and_deviation_1(shape):
    x = (np.random.default_rng(0).standard_normal(shape) * 7 + 3).astype(np.float32)
    fitted = Standardization.fit(x)
    made = fitted(x)
    axes = tuple(k for k in range(x.ndim) if k != 1)
    assert made.dtype == np.float32 and made.shape == x.shape
    np.testing.assert_allclose(made.mean(axes), 0, atol=1e-6)
    np.testing.assert_allclose(made.std(axes), 1, rtol=1e-6)
    np.testing.assert_allclose(fitted.inverse(made), x, rtol=1e-5, atol=1e-5)


def test_a_standardization_knows_the_training_part_only_and_can_be_kept():
    seen, held_out = DATA.split(0.3)
    fitted = Standardization.fit(seen)
    assert fitted.mean == (float(seen.inputs.mean(dtype=np.float64)),)
    assert Standardization(**json.loads(json.dumps(asdict(fitted)))) == fitted
    np.testing.assert_allclose(fitted(held_out).inputs, (held_out.inputs - fitted.mean) / fitted.std, rtol=1e-6)
    assert fitted(held_out).targets is held_out.targets


@pytest.mark.parametrize("wrong, message", [
    (lambda: Standardization.fit(np.array([[1.0], [np.nan]])), r"array: inputs\[1, 0\] is nan"),
    (lambda: Standardization.fit(np.array([[1, 2]])), "floating numbers"),
    (lambda: Standardization.fit(np.zeros((0, 2))), "with rows"),
    (lambda: Standardization((0.0,), (1.0,))(np.zeros((3, 2))), "fitted on 1 columns, and there are 2"),
    (lambda: Standardization((0.0,), (-1.0,)), "finite numbers"), (lambda: Standardization((0.0,), (np.nan,)), "finite numbers")])
def test_what_cannot_be_standardized_is_refused(wrong, message):
    with pytest.raises((ArgumentError, DataError), match=message):
        wrong()


# ---------------------------------------------------------------------------------------- arrays in files
def test_an_npz_file_is_inputs_and_targets_by_name(tmp_path):
    path = tmp_path / "points.npz"
    x, y = np.asfortranarray(np.arange(6, dtype=">i4").reshape(3, 2)), np.array([1, 0, 1], np.uint8)
    np.savez_compressed(path, x=x, y=y, names=np.array(["b", "a", "b"]), truth=np.array([True, False, True]), z=np.zeros(3))
    data = cr.data.npz(path, "x", "y", classes=["no", "yes"])
    assert data.inputs.dtype == np.float32 and data.targets.dtype == np.int64 and data.classes == ("no", "yes")
    np.testing.assert_array_equal(data.inputs, x)
    np.testing.assert_array_equal(data.targets, y)
    named = cr.data.npz(path, "x", "names", dtype=np.float64)
    assert (named.inputs.dtype, named.targets.tolist(), named.classes) == (np.float64, [1, 0, 1], ("a", "b"))
    assert cr.data.npz(path, "x", "truth").targets.tolist() == [1, 0, 1]
    assert cr.data.npz(path, "x", "z").targets.dtype == np.float32
    assert cr.data.npz(path, "x", None).targets is None


def test_what_is_wrong_in_an_npz_file_is_said(tmp_path):
    path = tmp_path / "points.npz"
    x = np.zeros((4, 2))
    x[2, 1] = np.nan
    np.savez(path, inputs=x, targets=np.array([0, 1, 5, 1]), fine=x[:2], objects=np.array([{}, 1]), text=np.array(["a", "b"]))
    for options, message in [
            ({}, r"points.npz: inputs\[2, 1\] is nan"), ({"inputs": "fine"}, "array 'fine' has 2 rows, 'targets' 4"),
            ({"inputs": "targets", "classes": "abc"}, r"targets\[2\] is 5, but the 3 classes are 0 to 2"),
            ({"inputs": "x"}, "holds no array 'x'; it holds 'inputs', 'targets', 'fine', 'objects', 'text'. Say which"),
            ({"inputs": "objects"}, "Python objects"), ({"inputs": "text"}, "array 'text' holds text"),
            ({"inputs": "fine", "targets": "text", "classes": "bc"}, r"points.npz: text\[0\]: 'a' is none of the 2 classes 'b'"),
    ]:
        with pytest.raises(DataError, match=message):
            cr.data.npz(path, **options)
    np.savez(path, inputs=np.array([[1e39]]), targets=np.array([0]))
    with pytest.raises(DataError, match=r"inputs\[0, 0\] is inf"):
        cr.data.npz(path)


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("packed", [False, True])
def test_an_idx_file_is_its_array(tmp_path, kind, packed):
    array = (np.random.default_rng(0).standard_normal((3, 2, 4)) * 50).astype(kind)
    number = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[kind]
    data = struct.pack(">4B3I", 0, 0, number, 3, 3, 2, 4) + array.astype(f">{kind}").tobytes()
    (tmp_path / "array").write_bytes(gzip.compress(data) if packed else data)
    read = cr.data.idx(tmp_path / "array")
    assert read.dtype == array.dtype and read.dtype.isnative
    np.testing.assert_array_equal(read, array)


# ---------------------------------------------------------------------------------------- MNIST and the network
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 5, 4), dtype=np.uint8)
CLASSES = np.arange(12, dtype=np.uint8) % 10


def idx_bytes(array):
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist_folder(folder, images=IMAGES, labels=CLASSES, names=("train-images-idx3-ubyte", "train-labels-idx1-ubyte")):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, (images, labels)):
        data = idx_bytes(array)
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


@pytest.mark.parametrize("names, train", [
    (("train-images-idx3-ubyte", "train-labels-idx1-ubyte"), True),
    (("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"), True),
    (("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte.gz"), False),
    (("MNIST/raw/t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"), False)])
def test_images_and_labels_are_found_under_their_usual_names(tmp_path, names, train):
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    data = cr.data.mnist(mnist_folder(tmp_path, names=names), train=train)
    assert (data.inputs.shape, data.inputs.dtype, data.targets.dtype) == ((12, 1, 5, 4), np.float32, np.int64)
    np.testing.assert_array_equal(data.inputs[:, 0], IMAGES.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(data.targets, CLASSES)
    assert data.classes == tuple("0123456789")


@pytest.mark.parametrize("images, labels, message", [
    (IMAGES, CLASSES[:5], "has 12 images, and .* 5 labels"), (IMAGES, np.where(CLASSES == 3, 77, CLASSES).astype(np.uint8),
                                                              r"training images: targets\[3\] is 77, but the 10 classes"),
    (CLASSES, IMAGES, r"train-images-idx3-ubyte has shape \(12,\) of uint8")])
def test_images_and_labels_that_do_not_fit_are_refused(tmp_path, images, labels, message):
    with pytest.raises(DataError, match=message):
        cr.data.mnist(mnist_folder(tmp_path, images, labels))


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror on this machine, with files of which it says size and checksum."""
    module = sys.modules["chainrule.data.mnist"]
    folder = mnist_folder(tmp_path / "mirror", names=tuple(f.name for f in module.FILES[True]))
    published = tuple(module.Published(f.name, len(data), hashlib.sha256(data).hexdigest())
                      for f in module.FILES[True] for data in [(folder / f.name).read_bytes()])
    monkeypatch.setattr(module, "FILES", {True: published})
    handler = partial(type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None}), directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(module, "MIRRORS", (f"http://127.0.0.1:{server.server_port}/", ))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield folder
        server.shutdown()


def test_a_download_is_opt_in_whole_and_done_once(tmp_path, mirror):
    with pytest.raises(DataError, match=r"here holds no train-images-idx3-ubyte.gz. Put it there, or say download=True"):
        cr.data.mnist(tmp_path / "here")
    assert not (tmp_path / "here").exists()
    np.testing.assert_array_equal(cr.data.mnist(tmp_path / "here", download=True).targets, CLASSES)
    assert sorted(os.listdir(tmp_path / "here")) == sorted(os.listdir(mirror))
    for file in mirror.iterdir():
        file.unlink()
    assert len(cr.data.mnist(tmp_path / "here", download=True)) == 12


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + bytes(10 ** 6), lambda data: b"",
                                    lambda data: data[:50] + b"!" + data[51:]])
def test_a_download_with_another_checksum_leaves_nothing_behind(tmp_path, mirror, change):
    file = mirror / "train-labels-idx1-ubyte.gz"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.gz cannot be downloaded \(.*checksum|another file") as refused:
        cr.data.mnist(tmp_path / "here", download=True)
    assert "\n" not in str(refused.value)
    assert os.listdir(tmp_path / "here") == ["train-images-idx3-ubyte.gz"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "http://name.invalid/", "file:///nowhere/"])
def test_without_a_network_one_line_says_what_to_do(tmp_path, mirror, monkeypatch, address):
    monkeypatch.setattr(sys.modules["chainrule.data.mnist"], "MIRRORS", (address,))
    with pytest.raises(DataError, match=r"cannot be downloaded \(.*Without a network, put the file there yourself") as refused:
        cr.data.mnist(tmp_path / "here", download=True)
    assert "\n" not in str(refused.value) and not os.listdir(tmp_path / "here")


def test_the_second_mirror_is_asked_where_the_first_fails(tmp_path, mirror, monkeypatch):
    module = sys.modules["chainrule.data.mnist"]
    monkeypatch.setattr(module, "MIRRORS", ("http://127.0.0.1:9/", f"{mirror.as_uri()}/"))
    assert len(cr.data.mnist(tmp_path / "here", download=True)) == 12
