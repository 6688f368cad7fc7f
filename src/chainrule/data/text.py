"""A text is a sequence of characters, each a number by its place in a vocabulary; a network learns to predict the next one."""
from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError

from .dataset import Dataset
from .files import Place, content, file_name, named, plain, shown, text_of

LIBRARY = 1_000_000  # characters of the standard library, unless more are asked for


@dataclass(frozen=True)
class Text:
    """Characters as `codes`, int64 numbers into `vocabulary`, a string of the different characters in order.

    >>> text = Text.of("abracadabra")
    >>> text.vocabulary, text.codes[:4].tolist(), text.decode([0, 1, 0])
    ('abcdr', [0, 1, 4, 0], 'aba')
    """

    codes: np.ndarray[Any, Any]
    vocabulary: str
    name: str = "characters"

    @classmethod
    def of(cls, characters: str, vocabulary: str | None = None, name: str = "characters") -> Text:
        """A text of these characters; the vocabulary is what occurs in it, unless one is given. Raises DataError for others."""
        if vocabulary is None:
            vocabulary = "".join(sorted(set(characters)))
        if list(vocabulary) != sorted(set(vocabulary)):
            raise ArgumentError("vocabulary: each character stands in it once, in the order of their code points.")
        return cls(coded(characters, vocabulary, name), vocabulary, name)

    def __len__(self) -> int:
        return len(self.codes)

    def encode(self, characters: str) -> np.ndarray[Any, Any]:
        """The codes of these characters. Raises DataError for one that is not in the vocabulary."""
        return coded(characters, self.vocabulary, "encode")

    def decode(self, codes: Any) -> str:
        """The characters with these codes."""
        places = np.ravel(codes)
        if places.size and not 0 <= places.min() <= places.max() < len(self.vocabulary):
            raise DataError(f"decode: codes go from 0 to {len(self.vocabulary) - 1}; there are others from {places.min()} to "
                            f"{places.max()}.")
        return "".join(self.vocabulary[k] for k in places.tolist())

    def split(self, *held_out: float) -> tuple[Text, ...]:
        """The first part to train on, then one for each share held out (a tenth, if none is given), by position.

        >>> [len(part) for part in Text.of("abcdefghij").split(0.2, 0.1)]
        [7, 2, 1]
        """
        shares = held_out or (0.1,)
        sizes = [round(share * len(self)) for share in shares]
        if not all(0 < share < 1 for share in shares) or not 0 < sum(sizes) < len(self) or not all(sizes):
            raise ArgumentError(f"split: shares of {', '.join(map(str, shares))} leave a part of {len(self)} characters empty. "
                                "Each is a number between 0 and 1, all together less than 1.")
        edges = np.cumsum([len(self) - sum(sizes), *sizes])[:-1]
        return tuple(replace(self, codes=codes) for codes in np.split(self.codes, edges))

    def windows(self, length: int, *, stride: int | None = None) -> Dataset:
        """Inputs (rows, length), beginning `stride` characters apart (`length`, if not given), and targets, one character later.

        Rows are views into the text until they are drawn, so that a stride of 1 costs nothing.

        >>> data = Text.of("abcdef").windows(2)
        >>> data.inputs.tolist(), data.targets.tolist()
        ([[0, 1], [2, 3]], [[1, 2], [3, 4]])
        """
        stride = length if stride is None else stride
        self.must_have(1, length, stride)
        views = np.lib.stride_tricks.sliding_window_view(self.codes, length)
        return Dataset(views[:-1][::stride], views[1:][::stride], f"windows of {self.name}", tuple(self.vocabulary))

    def streams(self, count: int, length: int) -> Dataset:
        """Windows in such an order that each batch of `count`, unshuffled, goes on where the one before it ended.

        Row j of every batch belongs to stream j, one of `count` equal stretches of the text: what a network that keeps its state
        from batch to batch learns from, by truncated backpropagation. Characters that fill no window are left out.

        >>> data = Text.of("abcdefghi").streams(2, 2)
        >>> [batch.inputs.tolist() for batch in data.batches(2)]
        [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
        """
        self.must_have(count, length, 1)
        pieces = (len(self) - 1) // (count * length)
        each = pieces * length

        def cut(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return codes[:count * each].reshape(count, pieces, length).swapaxes(0, 1).reshape(-1, length)
        return Dataset(cut(self.codes), cut(self.codes[1:]), f"windows of {self.name}", tuple(self.vocabulary))

    def must_have(self, count: int, length: int, stride: int) -> None:
        if min(count, length, stride) < 1:
            raise ArgumentError("windows: their length, number and stride are at least 1.")
        if len(self) < count * length + 1:
            raise DataError(f"{self.name}: {len(self)} characters are too few for {count} x {length} and the next one. Take "
                            "shorter windows, or a longer text.")


def coded(characters: str, vocabulary: str, name: str) -> np.ndarray[Any, Any]:
    points, known = (np.frombuffer(s.encode("utf-32-le", "surrogatepass"), np.uint32) for s in (characters, vocabulary))
    if not len(known):
        raise DataError(f"{name}: there are no characters.")
    codes = np.minimum(np.searchsorted(known, points), len(known) - 1)
    strange = known[codes] != points
    if strange.any():
        place = int(strange.argmax())
        line, column = characters.count("\n", 0, place) + 1, place - characters.rfind("\n", 0, place)
        raise DataError(f"{name}, line {line}, column {column}: {shown(characters[place])} is not in the vocabulary of "
                        f"{len(known)} characters. Replace it, or make the vocabulary of both texts.")
    return codes.astype(np.int64, copy=False)


def text(path: Place | None = None, *, vocabulary: str | None = None, characters: int | None = None, encoding: str = "utf-8",
         limit: int | None = None) -> Text:
    """The text in a file, which may be packed by gzip; without one, the source code of Python's standard library.

    Line ends become "\\n". characters: how many to take, from the beginning; all of a file, a million of the library. vocabulary:
    that of a text learned from, see `Text`. Raises DataError for a file that is no text in this encoding, and names the line.

    >>> text(characters=1000).name
    "characters of Python's library"
    """
    if characters is not None and characters < 1:
        raise ArgumentError(f"text: characters is how many to take, at least 1, not {characters}.")
    if path is None:
        found, name = library(characters or LIBRARY), "characters of Python's library"
    else:
        found, name = text_of(plain(path, limit), path, encoding), file_name(path)
    return Text.of(found.replace("\r\n", "\n").replace("\r", "\n")[:characters], vocabulary, name)


def library(size: int) -> str:
    """The beginning of the standard library's source: the files in its folder that are ASCII, in the order of their names.

    Others would add letters to the vocabulary that occur a few times.
    """
    pieces: list[str] = []
    for path in sources():
        if sum(map(len, pieces)) >= size:
            break
        data = content(path)
        if data.isascii() and b"\0" not in data:
            pieces.append(data.decode("ascii").replace("\r\n", "\n"))
    if not pieces:
        raise DataError(f"{named(os.path.dirname(os.__file__))} holds no source code of Python's library. Give a text file.")
    return "".join(pieces)[:size]


def sources() -> Iterator[Path]:
    """The files of the library, but for those that hold what a machine was set up with."""
    found = Path(os.__file__).parent.glob("*.py")
    yield from sorted((path for path in found if path.is_file() and path.stat().st_size
                       and not path.name.startswith("_sysconfigdata")), key=lambda path: path.name)
