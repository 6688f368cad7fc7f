"""The store is never believed blindly, and never in the way: what is wrong with it leads to compiling again."""
from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from chainrule.compiler.native import compiling
from chainrule.compiler.native.driver import Program
from chainrule.compiler.native.store import SUFFIX, Store
from test_native_program import chain, numbers

KEY = "k" * 64


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def translations(monkeypatch) -> list[int]:
    """Counts how often LLVM is asked to translate a module."""
    made: list[int] = []
    translate = compiling.translate

    def counted(text, host):
        made.append(len(text))
        return translate(text, host)
    monkeypatch.setattr(compiling, "translate", counted)
    return made


def entry(folder: Path) -> Path:
    """The program's file; the runtime that all programs share may have one beside it."""
    return max(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)


def result(n: int = 50) -> np.ndarray:
    return Program(chain(n), 1)([numbers(n), numbers(n, 1)])[0]


def test_what_was_saved_is_loaded(tmp_path) -> None:
    store = Store(tmp_path)
    store.save(KEY, "text", [b"object", b"", bytes(1000)])
    assert store.load(KEY) == ("text", [b"object", b"", bytes(1000)])


def test_a_second_program_is_not_translated_again(folder, translations) -> None:
    first, second = result(), result()
    assert len(translations) == 1
    assert (first == second).all()


def test_another_kernel_is_another_entry(folder, translations) -> None:
    result(50), result(51)
    assert len(translations) == 2


@pytest.mark.parametrize("spoil", [
    lambda data: b"", lambda data: data[:len(data) // 2], lambda data: data + b"x", lambda data: b"foreign" * 100,
    *(lambda data, at=at: data[:int(at * (len(data) - 1))] + bytes([data[int(at * (len(data) - 1))] ^ 1])
      + data[int(at * (len(data) - 1)) + 1:] for at in np.linspace(0, 1, 12)),
])
def test_a_spoilt_entry_is_compiled_again_and_replaced(folder, translations, spoil) -> None:
    expected = result()
    path = entry(folder)
    data = path.read_bytes()
    path.write_bytes(spoil(data))
    assert (result() == expected).all()
    assert len(translations) == 2
    assert path.read_bytes() == data


def test_an_entry_without_the_right_code_is_replaced(folder, translations) -> None:
    expected = result()
    path = entry(folder)
    data, key = path.read_bytes(), path.stem
    for text, objects in (("[]", []), ("no JSON", [b""]), ('[{"phases": [], "shared": 0}]', [b"no object"])):
        Store(folder).save(key, text, objects)
        assert (result() == expected).all()
        assert path.read_bytes() == data


def test_an_entry_under_another_name_is_foreign(tmp_path) -> None:
    store = Store(tmp_path)
    store.save(KEY, "text", [b"object"])
    other = "o" * 64
    (tmp_path / (KEY + SUFFIX)).rename(tmp_path / (other + SUFFIX))
    assert store.load(other) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch, translations) -> None:
    file = tmp_path / "file"
    file.write_text("a file, not a folder")
    monkeypatch.setenv("CHAINRULE_CACHE", str(file / "inside"))
    result(), result()
    assert len(translations) == 2


def test_a_full_disk_is_no_error_and_leaves_nothing(folder, monkeypatch, translations) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(os, "fsync", full)
    result()
    assert list(folder.iterdir()) == []


def test_off_keeps_nothing(monkeypatch, translations, tmp_path) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", "off")
    monkeypatch.chdir(tmp_path)
    result(), result()
    assert len(translations) == 2
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_entries_make_room(tmp_path) -> None:
    store = Store(tmp_path, limit=3000)
    names = [character * 64 for character in "abcd"]
    for age, name in enumerate(names):
        store.save(name, "", [bytes(900)])
        os.utime(tmp_path / (name + SUFFIX), (time.time() - 100 + age,) * 2)
    assert store.load(names[0]) is None
    assert store.load(names[3]) is not None


def test_what_is_used_counts_as_new(tmp_path) -> None:
    store = Store(tmp_path, limit=3000)
    for name in "abc":
        store.save(name * 64, "", [bytes(800)])
        os.utime(tmp_path / (name * 64 + SUFFIX), (time.time() - 100,) * 2)
    assert store.load("a" * 64) is not None
    store.save("d" * 64, "", [bytes(800)])
    assert store.load("a" * 64) is not None


KILLED = """
import os, sys
from pathlib import Path
from chainrule.compiler.native import store
def kill(handle):
    os._exit(9)
os.fsync = kill
store.Store(Path({folder!r})).save("k" * 64, "text", [bytes(1000)])
"""


def test_a_process_killed_while_it_writes_leaves_no_entry(tmp_path) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED.format(folder=str(tmp_path))], check=False, timeout=60)
    assert done.returncode == 9
    assert Store(tmp_path).load(KEY) is None
    assert not list(tmp_path.glob(f"*{SUFFIX}"))
