"""Files of a training: whatever is altered is noticed, whatever lies costs nothing, a write that fails leaves the old ones."""
import errno
import hashlib
import json
import os
import re
import resource
import struct
import subprocess
import sys
import tempfile

import numpy as np
import pytest

import chainrule as cr
import killing
from chainrule import nn, optim, train
from chainrule.errors import ArgumentError, ChainruleError, DataError, DTypeError, InputError, StorageError
from chainrule.train.checkpoint import ARRAYS, STATE, SUMS, WEIGHTS, checkpoints_in, read_checkpoint, sums, write_checkpoint
from chainrule.train.files import json_object
from chainrule.train.packing import packed, unpacked
from chainrule.train.weights import read_weights, weights_bytes
from damage import cases, flips, judged, refusal, truncations


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with one checkpoint of a real training."""
    folder = tmp_path_factory.mktemp("whole")
    trainer, loader = killing.prepared(folder, compile=False, every=10 ** 6)
    trainer.fit(loader, held_out=killing.data(1), epochs=2)
    return checkpoints_in(folder)[-1]


# ---------------------------------------------------------------------------------------- altered bytes
@pytest.mark.parametrize("name", [WEIGHTS, ARRAYS, STATE, SUMS])
def test_every_altered_checkpoint_is_refused(whole, tmp_path, name):
    for path in whole.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = (whole / name).read_bytes()
    damaged = [case for case in cases(content, count=40) if case.data != content]
    said = judged(lambda path: read_checkpoint(path.parent), tmp_path / name, damaged)
    assert len(said) == len({case.name for case in damaged})


@pytest.mark.parametrize("name", [WEIGHTS, ARRAYS, STATE, SUMS])
def test_a_checkpoint_without_one_of_its_files_is_refused(whole, tmp_path, name):
    for path in whole.iterdir():
        if path.name != name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=f"{name} is missing"):
        read_checkpoint(tmp_path)


def test_the_checksums_are_those_of_sha256sum(whole):
    for line in (whole / SUMS).read_text().splitlines():
        digest, name = re.fullmatch(r"([0-9a-f]{64})  (\S+)", line).groups()
        assert hashlib.sha256((whole / name).read_bytes()).hexdigest() == digest


def test_damaged_weights_are_refused_or_read_to_the_end(tmp_path):
    model = nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 3))
    train.save_weights(tmp_path / "w.safetensors", model)
    content = (tmp_path / "w.safetensors").read_bytes()
    said = judged(read_weights, tmp_path / "w.safetensors", cases(content))
    for case in truncations(content):
        assert case.name in said
    header = int.from_bytes(content[:8], "little")
    for case in flips(content):
        assert case.name in said or int(re.search(r"byte (\d+)", case.name)[1]) >= 8, case.name  # names and numbers may change
    assert header < len(content)


def file_of(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


LYING = {
    "a shape of 1e9 squared": file_of({"a": entry(shape=[10 ** 9, 10 ** 9])}, bytes(8)),
    "a shape whose product overflows": file_of({"a": entry(shape=[2 ** 32, 2 ** 32, 4])}, bytes(8)),
    "a negative shape": file_of({"a": entry(shape=[-2, -1])}, bytes(8)),
    "a shape of floats": file_of({"a": entry(shape=[2.0])}, bytes(8)),
    "a shape of truths": file_of({"a": entry(shape=[True, 2])}, bytes(8)),
    "a thousand axes": file_of({"a": entry(shape=[1] * 1000, offsets=[0, 4])}, bytes(4)),
    "a number of 100,000 digits": file_of(b'{"a": {"dtype": "F32", "shape": [' + b"9" * 100_000 + b'], "data_offsets": [0, 8]}}',
                                          bytes(8)),
    "a huge exponent": file_of(b'{"a": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 8]}}', bytes(8)),
    "NaN": file_of(b'{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}', bytes(8)),
    "offsets backwards": file_of({"a": entry(offsets=[8, 0])}, bytes(8)),
    "offsets behind the end": file_of({"a": entry(offsets=[0, 800], shape=[200])}, bytes(8)),
    "offsets that overlap": file_of({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12)),
    "a hole": file_of({"a": entry(), "b": entry(offsets=[12, 20])}, bytes(20)),
    "bytes behind the last": file_of({"a": entry()}, bytes(9)),
    "an unknown dtype": file_of({"a": entry(dtype="F128", offsets=[0, 32])}, bytes(32)),
    "a dtype that is a list": file_of({"a": entry(dtype=["F32"])}, bytes(8)),
    "an entry too many": file_of({"a": entry(more=1)}, bytes(8)),
    "an entry that is text": file_of({"a": "F32"}, bytes(8)),
    "a name twice": file_of(b'{"a": {"dtype": "U8", "shape": [], "data_offsets": [0, 1]}, "a": {"dtype": "U8", "shape": [], '
                            b'"data_offsets": [0, 1]}}', bytes(1)),
    "metadata of numbers": file_of({"__metadata__": {"a": 1}}),
    "a header that is a list": file_of(b"[1]"),
    "a header that is nested deeply": file_of(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "a header that is no text": file_of(b"\xff\xfe{}"),
    "a header as long as it can be": file_of({}, length=2 ** 64 - 1),
    "a header of a gigabyte": file_of({}, length=10 ** 9),
}


@pytest.mark.parametrize("name", LYING)
def test_a_header_that_lies_is_refused(tmp_path, name):
    path = tmp_path / "w.safetensors"
    path.write_bytes(LYING[name])
    assert refusal(read_weights, path, name, megabytes=64)


def test_names_are_names_and_never_places(tmp_path):
    path = tmp_path / "w.safetensors"
    names = ["../../x", "/etc/x", ""]
    path.write_bytes(file_of({name: entry("U8", [1], [i, i + 1]) for i, name in enumerate(names)}, bytes(3)))
    assert list(read_weights(path)) == names
    with pytest.raises(ArgumentError, match="unexpected"):
        train.load_weights(path, nn.Linear(1, 1))
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_weights_are_read_as_safetensors_reads_them(tmp_path):
    from safetensors.numpy import load_file, save_file
    rng = np.random.default_rng(0)
    arrays = {f"a{i}": rng.normal(size=shape).astype(dtype) for i, (shape, dtype) in enumerate(
        [((3, 4), "f4"), ((), "f8"), ((0, 3), "f2"), ((5,), "i8"), ((2, 2), "u1"), ((7,), "?")])}
    save_file(arrays, tmp_path / "a.safetensors", {"made": "by a test"})
    (tmp_path / "b.safetensors").write_bytes(weights_bytes(arrays))
    for name in ("a", "b"):
        ours, theirs = read_weights(tmp_path / f"{name}.safetensors"), load_file(tmp_path / f"{name}.safetensors")
        assert set(ours) == set(theirs) == set(arrays)
        for key, array in arrays.items():
            assert ours[key].dtype == theirs[key].dtype == array.dtype and ours[key].shape == array.shape
            assert ours[key].tobytes() == theirs[key].tobytes() == array.tobytes()


def test_bfloat16_becomes_float32(tmp_path):
    values = np.array([1.0, -2.5, np.inf, 3.0e38], np.float32)
    short = (values.view(np.uint32) >> 16).astype("<u2")
    (tmp_path / "w").write_bytes(file_of({"a": entry("BF16", [4], [0, 8])}, short.tobytes()))
    read = read_weights(tmp_path / "w")["a"]
    assert read.dtype == np.float32 and read[:2].tolist() == [1.0, -2.5] and abs(read[3] / 3.0e38 - 1) < 0.01


def test_arrays_that_are_no_numbers_are_not_saved():
    with pytest.raises(DTypeError, match="a holds <U1"):
        weights_bytes({"a": np.array(["x"])})


# ---------------------------------------------------------------------------------------- checkpoints that lie
def forged(whole, folder, name, content):
    """A checkpoint with right checksums, whose file `name` holds something else."""
    contents = {path: (whole / path).read_bytes() for path in (WEIGHTS, ARRAYS, STATE)} | {name: content}
    forgery = folder / whole.name
    forgery.mkdir(exist_ok=True)
    for path, data in contents.items():
        (forgery / path).write_bytes(data)
    (forgery / SUMS).write_bytes(sums((path, hashlib.sha256(data).hexdigest()) for path, data in contents.items()))
    return forgery


BOMBS = {
    "nesting": b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "a list of lists": b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a huge number": b'{"format": ' + b"9" * 50_000 + b"}", "NaN": b'{"format": NaN}', "1e999": b'{"format": 1e999}',
    "twice": b'{"format": 1, "format": 1}', "no object": b"[]", "nothing": b"", "another format": b'{"format": 2}',
    "no format": b"{}", "nothing else": b'{"format": 1}', "17 MB": b'{"format": 1, "a": "' + b"x" * 17 * 2**20 + b'"}',
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_state_that_is_a_bomb_is_refused(whole, tmp_path, name):
    forgery = forged(whole, tmp_path, STATE, BOMBS[name])

    def resumed(path):
        killing.prepared(None, compile=False)[0].resume(path.parent)
    assert refusal(resumed, forgery / STATE if name != "nothing else" else forgery, name, megabytes=128) is not None


WRONG = (None, -1, 1.5, "x", [], {}, [1], {"a": 1}, {"$array": "nowhere"}, {"$dict": [[1]]}, {"$dict": [[[], 1]]},
         {"$float": "x"}, {"$what": 1}, {"$tuple": 1}, True, 10 ** 30)


def spots(value, path=()):
    """The places in a state: keys of dicts, all the way down."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from spots(inner, (*path, key))


def test_a_state_of_wrong_types_is_a_typed_error_or_can_be_trained_from(whole, tmp_path):
    state = json.loads((whole / STATE).read_text())
    places = [p for p in spots(state) if p[0] in ("place", "optimizer", "data", "random", "carried") or len(p) <= 2]
    refused = 0
    for i, place in enumerate(places):
        for wrong in (WRONG[i % len(WRONG)], WRONG[(7 * i + 3) % len(WRONG)]):
            changed = json.loads(json.dumps(state))
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = wrong
            forgery = forged(whole, tmp_path, STATE, json.dumps(changed).encode())
            trainer, loader = killing.prepared(None, compile=False)
            try:
                trainer.resume(forgery)
                trainer.fit(loader, held_out=killing.data(1), epochs=3)
            except ChainruleError as error:
                refused += 1
                assert "a bug" not in str(error)
    assert refused > len(places)


@pytest.mark.parametrize("state", [
    {"a": 1, "b": [1.5, "x", None, True], "c": (1, (2.0, "y"))}, {0: {"step": 3}, 1: {}}, {"$array": "mine"}, {(1, "a"): [{}]},
    {"big": 2 ** 127, "inf": float("inf"), "minus": float("-inf")}, [], {}, None,
], ids=str)
def test_a_state_comes_back_as_it_was(state):
    arrays = {}
    found = unpacked(json_object(json.dumps({"x": packed(state, arrays)}).encode(), __file__), arrays)["x"]
    assert found == state and repr(found) == repr(state)


def test_arrays_and_numbers_of_numpy_come_back_as_they_were():
    arrays = {}
    state = {"a": np.arange(3), "b": np.float32(0.1), "c": [np.zeros((0, 2))], "d": cr.tensor([1.0])}
    found = unpacked(packed(state, arrays), arrays)
    assert type(found["b"]) is np.float32 and found["b"] == np.float32(0.1) and found["c"][0].shape == (0, 2)
    assert found["a"].tolist() == [0, 1, 2] and found["d"].tolist() == [1.0]
    with pytest.raises(ArgumentError, match=r"state.f is a function, which cannot be saved"):
        packed({"f": test_arrays_and_numbers_of_numpy_come_back_as_they_were}, {})


# ------------------------------------------------------------------------------------ full disks, read-only folders
CALLS = [(os, "write"), (os, "fsync"), (os, "rename"), (os, "replace"), (tempfile, "mkdtemp")]


class Disk:
    """A disk that is full from the k-th call on, until it is cleared."""

    def __init__(self, monkeypatch, number=errno.ENOSPC):
        self.left, self.number = None, number
        for module, name in CALLS:
            monkeypatch.setattr(module, name, self.around(getattr(module, name)))

    def around(self, call):
        def guarded(*args, **options):
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise OSError(self.number, os.strerror(self.number))
            return call(*args, **options)
        return guarded


def small(folder):
    model = nn.Linear(6, 3, generator=cr.random.Generator(0))
    optimizer = optim.Adam(model.parameters())
    return train.Trainer(model, nn.CrossEntropyLoss(), optimizer, [train.Checkpoints(folder), train.Log(folder / "log.csv")],
                         compile=False)


def fitted(trainer):
    trainer.fit(killing.data(), epochs=3, batch=32, generator=cr.random.Generator(1))
    return {name: value.tobytes() for name, value in trainer.model.state_dict().items()}


def test_a_disk_that_is_full_at_any_write_loses_nothing(tmp_path, monkeypatch):
    (tmp_path / "alone").mkdir()
    alone, disk, k, steps = fitted(small(tmp_path / "alone")), Disk(monkeypatch), 0, set()
    while True:
        folder = tmp_path / str(k)
        folder.mkdir()
        disk.left = k
        try:
            assert fitted(small(folder)) == alone
            break
        except StorageError as error:
            assert "No space left on device. Make room" in str(error) and str(folder) in str(error) and "\n" not in str(error)
        disk.left = None
        again, found = small(folder), checkpoints_in(folder)
        for path in found:
            read_checkpoint(path)
        steps.add(found[-1].name if found else None)
        if found:
            again.resume(folder)
        assert fitted(again) == alone
        assert not list(folder.glob(".*"))
        k += 1
    assert k > 40 and steps == {None, "pass-0-step-0", "pass-1-step-3", "pass-2-step-6", "pass-3-step-9"}


def test_a_folder_that_may_not_be_written_to_is_told_at_the_beginning(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("a file")
    with pytest.raises(StorageError, match=r"Not a directory|File exists"):
        fitted(train.Trainer(m := nn.Linear(6, 3), nn.CrossEntropyLoss(), optim.SGD(m.parameters()),
                             [train.Checkpoints(tmp_path / "a" / "b")]))
    disk = Disk(monkeypatch, errno.EROFS)
    disk.left = 0
    trainer = small(tmp_path)
    with pytest.raises(StorageError, match="Read-only file system"):
        fitted(trainer)
    assert trainer.place.step == 0


def test_a_file_that_grows_beyond_the_limit_is_told(tmp_path):
    """A limit of the system, not of a test: the log cannot be written, the checkpoints stay."""
    program = ("import resource, signal, sys, pathlib; sys.path.insert(0, sys.argv[2]); import killing\n"
               "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\n"
               "try: killing.main(pathlib.Path(sys.argv[1]), 'eager')\n"
               "except killing.cr.errors.StorageError as error: print(error)")
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path), os.path.dirname(killing.__file__)], capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": str(killing.SOURCE)})
    assert re.fullmatch(r".*steps.jsonl cannot be used: File too large. Make room.*\n", done.stdout), done.stdout + done.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 40_000
    for path in checkpoints_in(tmp_path):
        read_checkpoint(path)
    killing.main(tmp_path, "eager")
    left_alone = killing.fit(*killing.prepared(None, compile=False))
    final = read_weights(tmp_path / "final.safetensors")
    assert {name: value.tobytes() for name, value in final.items()} == left_alone


def test_a_checkpoint_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "pass-0-step-1"
    for value in (1.0, 2.0):
        write_checkpoint(path, {"a": value}, {"w": np.full(3, value)})
        saved = read_checkpoint(path)
        assert saved.state["a"] == value and saved.weights["w"].tolist() == [value] * 3
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_log_that_is_there_is_not_written_over(tmp_path):
    (tmp_path / "log.csv").write_text("mine\n")
    with pytest.raises(InputError, match="log of a training already"):
        fitted(small(tmp_path))
    assert (tmp_path / "log.csv").read_text() == "mine\n"
    with pytest.raises(ArgumentError, match=r"ends in .csv or .jsonl"):
        train.Log(tmp_path / "log.txt")
