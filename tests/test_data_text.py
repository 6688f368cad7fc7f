"""Text: vocabulary, codes, windows and streams of characters, from a file or from Python's own library."""
import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.data import Text
from chainrule.data.text import sources
from chainrule.errors import ArgumentError, DataError


@given(st.text(min_size=1))
def test_a_text_is_its_codes(characters):
    text = Text.of(characters)
    assert list(text.vocabulary) == sorted(set(characters))
    assert text.decode(text.codes) == characters and text.codes.dtype == np.int64
    assert [text.vocabulary[k] for k in text.codes] == list(characters)


@pytest.mark.parametrize("stride", [None, 1, 2, 5])
def test_windows_and_their_targets_are_a_character_apart(stride):
    text = Text.of("".join(map(chr, range(97, 120))))
    data = text.windows(4, stride=stride)
    assert (data.inputs + 1 == data.targets).all()  # in this text, every next character is the next code
    starts = list(range(0, len(text) - 4, stride or 4))
    assert data.inputs[:, 0].tolist() == starts and data.classes == tuple(text.vocabulary)
    rows = data.rows(np.array([2, 0]))
    assert rows.inputs.tolist() == [list(range(s, s + 4)) for s in (starts[2], starts[0])]


def test_windows_take_no_memory_until_they_are_drawn():
    text = Text.of("ab" * 50_000)
    assert np.shares_memory(text.windows(1000, stride=1).inputs, text.codes)


@pytest.mark.parametrize("count, length, size", [(1, 5, 23), (3, 4, 50), (4, 1, 9), (2, 11, 23)])
def test_streams_go_on_from_batch_to_batch(count, length, size):
    text = Text(np.arange(size), "".join(map(chr, range(size))))
    data = text.streams(count, length)
    batches = list(data.batches(count))
    assert batches and all(batch.inputs.shape == (count, length) for batch in batches)
    streams = np.concatenate([batch.inputs for batch in batches], axis=1)
    each = (size - 1) // count // length * length
    np.testing.assert_array_equal(streams, np.arange(count * each).reshape(count, each))
    np.testing.assert_array_equal(data.targets, data.inputs + 1)


def test_parts_follow_each_other_and_share_the_vocabulary():
    text = Text.of("the quick brown fox jumps over the lazy dog" * 3)
    train, validation, test = text.split(0.2, 0.1)
    np.testing.assert_array_equal(np.concatenate([train.codes, validation.codes, test.codes]), text.codes)
    assert (len(validation), len(test)) == (26, 13) and train.vocabulary == test.vocabulary == text.vocabulary
    assert [len(part) for part in text.split()] == [116, 13]


@pytest.mark.parametrize("data", [b"one\r\ntwo\rthree\n", b"\xef\xbb\xbfone\ntwo\nthree\n", gzip.compress(b"one\ntwo\nthree\n")],
                         ids=["CRLF and CR", "BOM", "gzip"])
def test_a_file_is_read_with_one_kind_of_line_end(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    text = cr.data.text(tmp_path / "a.txt")
    assert text.decode(text.codes) == "one\ntwo\nthree\n" and text.name == "a.txt"
    assert len(cr.data.text(tmp_path / "a.txt", characters=5)) == 5


def test_encodings(tmp_path):
    for encoding in ("latin-1", "utf-16", "cp1252"):
        (tmp_path / "a.txt").write_bytes("é\nü".encode(encoding))
        assert cr.data.text(tmp_path / "a.txt", encoding=encoding).vocabulary == "\néü"


def test_without_a_file_it_is_the_source_of_pythons_library():
    text = cr.data.text(characters=300_000)
    assert len(text) == 300_000 and text.vocabulary.isascii() and len(text.vocabulary) < 100
    assert "import" in text.decode(text.codes[:5000])
    np.testing.assert_array_equal(text.codes, cr.data.text(characters=300_000).codes)
    assert len(cr.data.text(characters=10)) == 10


def test_what_a_machine_was_set_up_with_is_no_source_of_the_library():
    assert not [path for path in sources() if path.name.startswith("_sysconfigdata")]


@pytest.mark.parametrize("wrong, message", [
    (lambda: Text.of("abc").windows(3), "3 characters are too few for 1 x 3 and the next one"),
    (lambda: Text.of("abc").streams(2, 1), None), (lambda: Text.of("abc").streams(3, 1), "too few for 3 x 1"),
    (lambda: Text.of("abc").windows(0), "at least 1"), (lambda: Text.of("abc").windows(1, stride=0), "at least 1"),
    (lambda: Text.of(""), "there are no characters"), (lambda: Text.of("one", "one"), "each character stands in it once"),
    (lambda: Text.of("one\ntwö", "\nenotw", "a.txt"), "a.txt, line 2, column 3: 'ö' is not in the vocabulary of 6 characters"),
    (lambda: Text.of("abc").encode("cd"), "encode, line 1, column 2: 'd' is not in the vocabulary"),
    (lambda: Text.of("abc").decode([0, 3]), "codes go from 0 to 2"), (lambda: Text.of("abc").split(0.9, 0.2), "leave a part"),
    (lambda: Text.of("abc").split(0.01), "leave a part"), (lambda: cr.data.text(characters=0), "at least 1")])
def test_what_cannot_be_is_refused(wrong, message):
    if message is None:
        assert len(wrong()) == 2
        return
    with pytest.raises((DataError, ArgumentError), match=message):
        wrong()
