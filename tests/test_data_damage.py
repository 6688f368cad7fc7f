"""Damaged, lying and hostile files, against every reader of data: a DataError in one line, in bounded memory, at once.

Each corpus runs in a process of its own, so that what native libraries hold is measured, and a crash in one would be seen.
"""
import gzip
import io
import os
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
import damage
from chainrule.errors import DataError

ROWS = 60
NUMBERS = np.random.default_rng(0).standard_normal((ROWS, 4)).astype(np.float32)
LABELS = np.arange(ROWS) % 3
IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # thousands of files are written


# ---------------------------------------------------------------------------------------- whole files, as bytes
def npz_file(save=np.savez):
    out = io.BytesIO()
    save(out, inputs=NUMBERS, targets=LABELS, names=np.array(["a", "bc"]))
    return out.getvalue()


def csv_file(line_end="\r\n"):
    rows = ["a,b,c,d,kind", *(",".join([*map(str, row), "xyz"[k]]) for row, k in zip(NUMBERS, LABELS))]
    return line_end.join([*rows, ""]).encode()


def parquet_file(**options):
    import pyarrow
    from pyarrow import parquet
    out = io.BytesIO()
    columns = {name: NUMBERS[:, k] for k, name in enumerate("abcd")} | {"kind": ["xyz"[k] for k in LABELS]}
    parquet.write_table(pyarrow.table(columns), out, **options)
    return out.getvalue()


def image_file(kind, mode="RGB"):
    from PIL import Image
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(out, kind)
    return out.getvalue()


def idx_file():
    return struct.pack(">4B3I", 0, 0, 8, 3, 20, 6, 5) + bytes(range(200)) * 3


def one_image(path):
    """The folder around the folder around an image."""
    return cr.data.images(path.parent.parent)


TEXT = "Two roads diverged in a yellow wood,\r\nAnd sorry I could not travel both – ".encode() * 12
CORPORA = {
    "npz": (npz_file, cr.data.npz, "a.npz"),
    "npz, compressed": (lambda: npz_file(np.savez_compressed), cr.data.npz, "a.npz"),
    "csv": (csv_file, lambda path: cr.data.table(path, "kind"), "a.csv"),
    "csv, of numbers": (lambda: csv_file("\n"), lambda path: cr.data.table(path, "d", columns=["a", "b"]), "a.csv"),
    "csv.gz": (lambda: gzip.compress(csv_file()), lambda path: cr.data.table(path, "kind"), "a.csv.gz"),
    "parquet": (parquet_file, lambda path: cr.data.table(path, "kind"), "a.parquet"),
    "parquet, plain": (lambda: parquet_file(compression="none", use_dictionary=False),
                       lambda path: cr.data.table(path, "d", columns="a"), "a.parquet"),
    "idx": (idx_file, cr.data.idx, "images-idx3-ubyte"),
    "idx.gz": (lambda: gzip.compress(idx_file()), cr.data.idx, "images-idx3-ubyte.gz"),
    "text": (lambda: TEXT, cr.data.text, "a.txt"),
    "text.gz": (lambda: gzip.compress(TEXT), cr.data.text, "a.txt.gz"),
    "png": (lambda: image_file("PNG"), one_image, "a.png"),
    "palette png": (lambda: image_file("PNG", "P"), one_image, "a.png"),
    "jpeg": (lambda: image_file("JPEG"), one_image, "a.jpg"),
    "gif": (lambda: image_file("GIF"), one_image, "a.gif"),
    "bmp": (lambda: image_file("BMP"), one_image, "a.bmp"),
    "webp": (lambda: image_file("WEBP"), one_image, "a.webp"),
    "ppm": (lambda: image_file("PPM"), one_image, "a.ppm"),
}


def judge(name, seed, count):
    """Run in a process of its own."""
    make, read, file = CORPORA[name]
    whole = make()
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        path = Path(folder, "root", "class", file)
        path.parent.mkdir(parents=True)
        path.write_bytes(whole)
        read(path)
        said = damage.judged(read, path, chain(damage.cases(whole, seed, count), damage.truncations(whole[:2000], 11)))
    print(len(said), "refused")


def alone(function, *arguments):
    """What a function of this file prints in a process of its own."""
    program = f"import test_data_damage as t; t.{function}(*{arguments!r})"
    folders = os.pathsep.join([str(Path(__file__).parent), str(Path(cr.__file__).parent.parent)])
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], env={**os.environ, "PYTHONPATH": folders},
                          capture_output=True, text=True)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stderr[-3000:]}"
    assert not done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CORPORA)
def test_damage_is_refused_in_one_line_or_does_not_matter(name, count):
    assert int(alone("judge", name, 0, count).split()[0]) > 10


# ---------------------------------------------------------------------------------------- files that lie on purpose
def npy(shape, descr="<f8", content=b"", version=1):
    """The bytes of an .npy file whose header says what it likes."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(100) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + content


def zipped(members, kind=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def with_array(content, name="inputs.npy"):
    return zipped([(name, content), ("targets.npy", npy("(2,)", "<i8", bytes(16)))])


def png_header(width, height):
    chunk = b"IHDR" + struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c))
                                          for c in (chunk, data, b"IEND"))


def jpeg_header(width, height):
    whole = image_file("JPEG")
    place = whole.index(b"\xff\xc0") + 5
    return whole[:place] + struct.pack(">2H", height, width) + whole[place + 4:]


def gif_header(width, height):
    whole = image_file("GIF")
    frame = whole.index(b",\0\0\0\0") + 5
    return whole[:6] + struct.pack("<2H", width, height) + whole[10:frame] + struct.pack("<2H", width, height) + whole[frame + 4:]


def bomb(megabytes):
    """What gzip makes of so many zeros."""
    member = zlib.compressobj(9, wbits=31)
    return b"".join([*(member.compress(bytes(2 ** 20)) for _ in range(megabytes)), member.flush()])


def parquet_bomb():
    import pyarrow
    from pyarrow import parquet
    out = io.BytesIO()
    zeros = pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(30_000_000, np.int8)), ["x"])
    parquet.write_table(pyarrow.table({"a": zeros, "kind": zeros}), out)
    return out.getvalue()


NPZ, TABLE, IDX, TEXT_FILE, PNG = "a.npz", "a.csv", "a-idx", "a.txt", "a.png"
LYING = {  # a file's name, what it holds, and a part of what is said
    "a shape of 1e9": (NPZ, lambda: with_array(npy("(1000000000,)", content=bytes(16))), "shape"),
    "a shape of 1e9 squared": (NPZ, lambda: with_array(npy("(1000000000, 1000000000)")), "shape"),
    "a shape that overflows to what is there": (NPZ, lambda: with_array(npy(f"({2 ** 61 + 2},)", content=bytes(16))), "shape"),
    "a negative shape": (NPZ, lambda: with_array(npy("(-1,)", content=bytes(16))), "shape"),
    "no rows": (NPZ, lambda: with_array(npy("(0, 1000000000)")), "holds no rows"),
    "65 axes": (NPZ, lambda: with_array(npy("(" + "1, " * 65 + ")", content=bytes(8))), "no .npz file"),
    "a header of 4 GB": (NPZ, lambda: with_array(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100)), "header is damaged"),
    "nested brackets": (NPZ, lambda: with_array(npy("(" * 5000 + ")" * 5000)), "header is damaged|shape"),
    "an unknown version": (NPZ, lambda: with_array(npy("(2,)", version=9)), "no array in it"),
    "objects": (NPZ, lambda: with_array(npy("(2,)", "|O", b"cos\nsystem\n(S'true'\ntR.")), "Python objects"),
    "fields": (NPZ, lambda: with_array(npy("(2,)", "[('a', '<f8')]", bytes(16))), "header is damaged"),
    "dates": (NPZ, lambda: with_array(npy("(2,)", "<M8[s]", bytes(16))), "not known"),
    "a way up": (NPZ, lambda: with_array(npy("(2,)", content=bytes(16)), "../inputs.npy"), "no name of an array"),
    "a way from the root": (NPZ, lambda: with_array(npy("(2,)", content=bytes(16)), "/etc/inputs.npy"), "no name of an array"),
    "a way on another system": (NPZ, lambda: with_array(npy("(2,)", content=bytes(16)), "..\\inputs.npy"), "no name of an array"),
    "a drive": (NPZ, lambda: with_array(npy("(2,)", content=bytes(16)), "C:inputs.npy"), "no name of an array"),
    "no array": (NPZ, lambda: with_array(b"x", "readme.txt"), "no name of an array"),
    "a bomb of zeros in a zip": (NPZ, lambda: with_array(npy(f"({2 ** 25},)", content=bytes(2 ** 28))), "unpacks to more than"),
    "a bomb in a table": (TABLE, lambda: bomb(300), "unpacks to more than"),
    "a bomb of many members": (TEXT_FILE, lambda: bomb(1) * 300, "unpacks to more than"),
    "a bomb of an array": (IDX, lambda: bomb(300), "unpacks to more than"),
    "a bomb in Parquet": ("a.parquet", parquet_bomb, "unpacks to more than"),
    "4 x 1e9 of images": (IDX, lambda: struct.pack(">4B4I", 0, 0, 8, 4, *[10 ** 9] * 4) + bytes(100), "no IDX file"),
    "255 axes": (IDX, lambda: bytes([0, 0, 8, 255]) + struct.pack(">I", 1) * 255 + b"x", "no IDX file"),
    "a PNG of 12,000 x 12,000": (PNG, lambda: png_header(12_000, 12_000), "unpacks to more than"),
    "a PNG of 1e9 x 1e9": (PNG, lambda: png_header(10 ** 9, 10 ** 9), "no PNG image"),
    "a JPEG of 65,500 x 65,500": ("a.jpg", lambda: jpeg_header(65_500, 65_500), "no JPEG image"),
    "a GIF of 65,535 x 65,535": ("a.gif", lambda: gif_header(65_535, 65_535), "no GIF image"),
    "another format by its name": (PNG, lambda: image_file("JPEG"), "it does not begin like one"),
    "16 bits a channel": (PNG, lambda: image_file("PNG", "I;16"), "does not have 8 bits a channel"),
    "an open quote": (TABLE, lambda: b'a,b\n1,"2\n' + b"3,4\n" * 1000, "line 2"),
    "an endless cell": (TABLE, lambda: b"a,b\n1," + b"2" * 10 ** 6, "line 2"),
    "a wide row": (TABLE, lambda: b"a,b\n1," + b"2," * 10 ** 6, "line 2 has 1000002 cells"),
    "too many columns": (TABLE, lambda: b",".join(b"c%d" % k for k in range(10 ** 5)) + b",b\n1", "line 2 has 1 cells"),
    "NUL": (TABLE, lambda: b"a,b\n1,2\n1,\x002\n", "line 3: there is a NUL"),
    "UTF-16": (TABLE, lambda: "a,b\n1,2\n".encode("utf-16"), "'utf-16', as which it begins"),
    "Latin-1": (TEXT_FILE, lambda: "one\ntwo\nd\xe9j\xe0".encode("latin-1"), "line 3: byte 9 is no utf-8"),
    "NUL in a text": (TEXT_FILE, lambda: b"one\n\0", "line 2: there is a NUL"),
    "lines of nothing": (TABLE, lambda: b"\n" * 1000, "nothing but empty lines"),
    "a header alone": (TABLE, lambda: b"a,b\n", "no rows"),
    "a mark of byte order alone": (TABLE, lambda: b"\xef\xbb\xbf", "nothing but empty lines"),
}
READERS = {NPZ: cr.data.npz, TABLE: lambda path: cr.data.table(path, "b"), IDX: cr.data.idx, TEXT_FILE: cr.data.text,
           "a.parquet": lambda path: cr.data.table(path, "kind"), PNG: one_image, "a.jpg": one_image, "a.gif": one_image}


def judge_lies():
    """Run in a process of its own; prints what was said to each."""
    for name, (file, make, _) in LYING.items():
        with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
            path = Path(folder, "root", "class", file)
            path.parent.mkdir(parents=True)
            path.write_bytes(make())
            print(name, damage.refusal(READERS[file], path, name), sep=": ")


def test_lies_are_found_out_before_they_cost_anything():
    said = alone("judge_lies").splitlines()
    assert len(said) == len(LYING)
    for line, (name, (_, _, part)) in zip(said, LYING.items()):
        assert line.startswith(name) and any(p in line for p in part.split("|")), line


def test_a_trusted_file_may_unpack_further():
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        path = Path(folder, "zeros.npz")
        np.savez_compressed(path, x=np.zeros((2 ** 24, 1), np.float64))
        with pytest.raises(DataError, match="unpacks to more than 67,108,864 bytes"):
            cr.data.npz(path, "x", None)
        assert len(cr.data.npz(path, "x", None, limit=2 ** 28)) == 2 ** 24


# ---------------------------------------------------------------------------------------- paths
EVERY = {"npz": cr.data.npz, "table": lambda path: cr.data.table(path, "kind"), "idx": cr.data.idx, "text": cr.data.text,
         "parquet": lambda path: cr.data.table(f"{path}.parquet", "kind"), "mnist": cr.data.mnist, "images": cr.data.images}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/random", "/", "nowhere", "a\0b", "a\nb", "x" * 5000, "\udcff", ""])
def test_what_is_no_file_is_refused(name, path):
    with pytest.raises(DataError) as refused:
        EVERY[name](path)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are Unix's")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="device, pipe or socket"):
        cr.data.text(tmp_path / "pipe")


def test_a_file_larger_than_memory_is_not_read(tmp_path):
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(2 ** 40)  # a hole, which takes no room
    with pytest.raises(DataError, match=r"has 1,099,511,627,776 bytes, more than 4,294,967,296"):
        cr.data.table(tmp_path / "large.csv", "a")


@pytest.mark.parametrize("to", ["/etc/hosts", "/dev/zero", "../../outside.png", ".."])
def test_links_out_of_an_image_folder_are_refused(tmp_path, to):
    (tmp_path / "root" / "class").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(image_file("PNG"))
    (tmp_path / "root" / "class" / "a.png").write_bytes(image_file("PNG"))
    (tmp_path / "root" / "class" / "b.png").symlink_to(to)
    with pytest.raises(DataError, match=r"b.png is (a link that leads out of the folder|not an image)"):
        cr.data.images(tmp_path / "root")


def test_links_within_an_image_folder_are_followed(tmp_path):
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "a.png").write_bytes(image_file("PNG"))
    (tmp_path / "class" / "b.png").symlink_to("a.png")
    assert len(cr.data.images(tmp_path)) == 2
    (tmp_path / "class" / "loop.png").symlink_to("loop.png")
    with pytest.raises(DataError, match=r"loop.png cannot be read"):
        cr.data.images(tmp_path)


# ---------------------------------------------------------------------------------------- the judge
def say(message):
    def read(path):
        raise DataError(message.format(path))
    return read


def spend_time(path):
    deadline = time.process_time() + 1.1
    while time.process_time() < deadline:
        pass


@pytest.mark.parametrize("read, verdict", [
    (lambda path: {}[path], "KeyError"), (say("{}: one\ntwo"), "one"), (say("it is wrong"), "it is wrong"),
    (say("{0}" * 99), "a.txt"), (lambda path: np.ones((200, 2 ** 17)), "asked for 200 MB"), (spend_time, r"took 1\.\d+ s")])
def test_the_judge_finds_readers_that_do_not_refuse_as_they_should(tmp_path, read, verdict):
    with pytest.raises(AssertionError, match=f"^cut to 0 of 3 bytes: .*{verdict}"):
        damage.judged(read, tmp_path / "a.txt", damage.truncations(b"abc"))
    assert damage.judged(say("{} is cut short."), tmp_path / "a.txt", damage.truncations(b"abc")).keys() == {
        "cut to 0 of 3 bytes", "cut to 2 of 3 bytes"}
