"""Files of word vectors: word2vec's text and binary forms, and GloVe's text, which has no header.

All are checked row by row, and no more is allocated than the file's own size allows. What can be
repaired is, with a warning: words that occur twice, words that are no UTF-8.
"""

from __future__ import annotations

import contextlib
import dataclasses
import mmap
import re
import warnings as python_warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError
from charlm.store.files import Writable, write_atomic
from charlm.vectors.space import Space
from charlm.vectors.words import Words

FORMATS = ("text", "binary", "glove")
MAX_WORD_BYTES = 4_096
_HEADER = re.compile(rb"[ \t]*([+-]?\d{1,20})[ \t]+([+-]?\d{1,20})[ \t]*\r?\n?")
_LONGEST_NUMBER = 64
_ROWS_AT_ONCE = 1_024


@dataclasses.dataclass(frozen=True, slots=True)
class ReadVectors:
    """What a file held, in which form, and what a user should know of its reading."""

    space: Space
    form: str
    warnings: tuple[str, ...]


class _Rows:
    """Words and numbers as they are read: duplicates, odd words and odd numbers are seen here."""

    def __init__(self, where: str, rows: int, dim: int) -> None:
        self.where = where
        self.matrix = np.empty((rows, dim), dtype=np.float32)
        self._known: dict[bytes, int] = {}
        self._twice: list[str] = []
        self._odd: list[int] = []

    @property
    def count(self) -> int:
        return len(self._known)

    def add(self, number: int, word: bytes, values: npt.NDArray[np.float32]) -> None:
        """Take the row of that number, counted from 1."""
        name = self._name(number, word)
        if not np.isfinite(values).all():
            raise self.wrong(number, f"{_shown(name)} has a number that is not finite")
        if name in self._known:
            self._twice.append(_shown(name))
            return
        place = len(self._known)
        if place == len(self.matrix):
            self._grow()
        self.matrix[place] = values
        self._known[name] = place

    def _grow(self) -> None:
        more = np.empty((2 * len(self.matrix) + 64, self.matrix.shape[1]), dtype=np.float32)
        more[: len(self.matrix)] = self.matrix
        self.matrix = more

    def _name(self, number: int, word: bytes) -> bytes:
        if not word:
            raise self.wrong(number, "there is no word")
        if len(word) > MAX_WORD_BYTES:
            raise self.wrong(number, f"a word of more than {MAX_WORD_BYTES:,} bytes")
        try:
            word.decode("utf-8")
            name = word
        except UnicodeDecodeError:
            self._odd.append(number)
            name = word.decode("utf-8", "replace").encode()
        return name.replace(b"\n", b"\\n").replace(b"\r", b"\\r")

    def wrong(self, number: int, what: str) -> CheckpointError:
        return CheckpointError(f"{self.where}: row {number:,}: {what}")

    def finish(self, form: str) -> ReadVectors:
        if not self.count:
            raise CheckpointError(f"{self.where}: no vectors in it")
        told = []
        if self._odd:
            told.append(
                f"{self.where}: row {self._odd[0]:,}: the word is not UTF-8; such bytes are read "
                f"as \ufffd ({len(self._odd):,} in all)"
            )
        if self._twice:
            told.append(
                f"{self.where}: {self._twice[0]} occurs twice; the first is kept "
                f"({len(self._twice):,} such rows)"
            )
        words = Words(b"".join(name + b"\n" for name in self._known), where=self.where)
        space = Space(words, self.matrix[: self.count])
        return ReadVectors(space, form, tuple(told))


def read_vectors(path: Path) -> ReadVectors:
    """Return the vectors of a file, whatever its form; all its rows are checked.

    Raises:
        CheckpointError: naming the file, the row and what is wrong with it.
    """
    where = str(path)
    with _mapped(path) as data:
        first = _first_line(data, where)
        header = _HEADER.fullmatch(first)
        if header is None:
            return _read_text(data, 0, None, _glove_dim(first, where), where)
        rows, dim = int(header[1]), int(header[2])
        _require_possible(rows, dim, len(data), where)
        if _is_text_row(data, len(first), dim):
            return _read_text(data, len(first), rows, dim, where)
        return _read_binary(data, len(first), rows, dim, where)


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            if not file.seek(0, 2):
                raise CheckpointError(f"{path}: empty; expected word vectors")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error


def _first_line(data: Any, where: str) -> bytes:
    limit = 1 << 22
    end = data.find(b"\n", 0, limit)
    if end < 0 and len(data) > limit:
        raise CheckpointError(f"{where}: not a file of word vectors: its first line has no end")
    line: bytes = data[: end + 1 if end >= 0 else len(data)]
    return line


def _require_possible(rows: int, dim: int, size: int, where: str) -> None:
    if rows < 1 or dim < 1:
        raise CheckpointError(
            f"{where}: the header promises {rows:,} rows of {dim:,} numbers; expected at least one"
        )
    least = rows * (2 * dim + 1)  # a digit and a blank a number: the shortest text there is
    if least > size:
        raise CheckpointError(
            f"{where}: the header promises {rows:,} rows of {dim:,} numbers, which take "
            f"{least:,} bytes or more; the file has {size:,}"
        )


def _glove_dim(first: bytes, where: str) -> int:
    """Return how many numbers end the first row of a file without header."""
    fields = first.split()
    dim = 0
    for field in reversed(fields[1:]):
        if not _is_number(field):
            break
        dim += 1
    if not dim:
        raise CheckpointError(
            f"{where}: not a file of word vectors: its first line is neither a header (rows and "
            "numbers a row) nor a word with numbers"
        )
    return dim


def _is_number(field: bytes) -> bool:
    if len(field) > _LONGEST_NUMBER or b"_" in field:
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_text_row(data: Any, start: int, dim: int) -> bool:
    """Return whether a line with so many numbers begins there; rows in binary do not look so."""
    limit = start + MAX_WORD_BYTES + dim * (_LONGEST_NUMBER + 1)
    line = data[start : min(limit, len(data))].split(b"\n", 1)[0]
    fields = line.split()[1:][-dim:]
    numbers = sum(map(_is_number, fields))
    if fields and numbers == len(fields):
        return True
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    # a damaged row of text is for the text reader to tell about
    return 2 * numbers > len(fields) and all(byte >= 32 or byte in b"\t\r" for byte in line)


def _read_text(data: Any, start: int, promised: int | None, dim: int, where: str) -> ReadVectors:
    rows = _Rows(where, min(promised or _ROWS_AT_ONCE, (len(data) - start) // (2 * dim) + 1), dim)
    number = 0
    with python_warnings.catch_warnings():
        # NumPy tells by a warning, and by fewer numbers, what it could not read
        python_warnings.simplefilter("ignore", DeprecationWarning)
        for line in _lines(data, start, dim, where):
            if promised is not None and number == promised:
                raise CheckpointError(
                    f"{where}: the header promises {promised:,} rows, but more follow; is it of "
                    "another file?"
                )
            number += 1
            rows.add(number, *_parse_row(rows, number, line, dim))
    if promised is not None and number < promised:
        raise CheckpointError(
            f"{where}: the header promises {promised:,} rows, but the file ends after row "
            f"{number:,}; it was cut off"
        )
    return rows.finish("glove" if promised is None else "text")


def _lines(data: Any, start: int, dim: int, where: str) -> Iterator[bytes]:
    longest = MAX_WORD_BYTES + dim * (_LONGEST_NUMBER + 1)
    number, size = 0, len(data)
    while start < size:
        number += 1
        end = data.find(b"\n", start, start + longest)
        if end < 0 and size - start > longest:
            raise CheckpointError(f"{where}: row {number:,}: longer than {longest:,} bytes")
        end = size if end < 0 else end
        line = data[start:end].strip(b"\r\n")
        start = end + 1
        if line.strip() or start < size:
            yield line


def _parse_row(
    rows: _Rows, number: int, line: bytes, dim: int
) -> tuple[bytes, npt.NDArray[np.float32]]:
    parts = line.rstrip().rsplit(maxsplit=dim)
    if len(parts) == dim + 1:
        values = _numbers(b" ".join(parts[1:]))
        if len(values) == dim:
            return parts[0].strip(), values
    numbers = len(parts) - 1
    for place, field in enumerate(parts[1:], 1):
        if not _is_number(field):
            raise rows.wrong(number, f"number {place} is {_shown(field)}")
    raise rows.wrong(number, f"{max(numbers, 0):,} numbers, expected {dim:,}")


def _numbers(text: bytes) -> npt.NDArray[np.float32]:
    try:
        return np.fromstring(text, dtype=np.float32, sep=" ")
    except ValueError:  # older versions of NumPy warn, and return what comes before
        return np.empty(0, dtype=np.float32)


def _read_binary(data: Any, start: int, promised: int, dim: int, where: str) -> ReadVectors:
    width, size = 4 * dim, len(data)
    if promised * (width + 2) > size:
        raise CheckpointError(
            f"{where}: the header promises {promised:,} rows of {dim:,} numbers in binary, which "
            f"take {promised * (width + 2):,} bytes or more; the file has {size:,}"
        )
    rows = _Rows(where, promised, dim)
    place = start
    for number in range(1, promised + 1):
        while place < size and data[place] == 10:  # word2vec.c ends rows so, gensim does not
            place += 1
        blank = data.find(b" ", place, place + MAX_WORD_BYTES + 1)
        if blank < 0 or blank + 1 + width > size:
            if blank < 0 and size - place > MAX_WORD_BYTES:
                raise rows.wrong(number, f"no blank ends a word within {MAX_WORD_BYTES:,} bytes")
            raise CheckpointError(
                f"{where}: the header promises {promised:,} rows, but the file ends in row "
                f"{number:,}; it was cut off"
            )
        values = np.frombuffer(data[blank + 1 : blank + 1 + width], dtype="<f4")
        rows.add(number, data[place:blank], values)
        place = blank + 1 + width
    if data[place:].strip(b"\n"):
        raise CheckpointError(
            f"{where}: the header promises {promised:,} rows, but more follow; is it of another "
            "file?"
        )
    return rows.finish("binary")


def _shown(field: bytes) -> str:
    return repr(field[:60].decode("utf-8", "replace"))


def write_vectors(path: Path, space: Space, form: str) -> list[str]:
    """Write vectors to a file that other programs read; return what a user should know of it.

    Words with blanks, which these forms cannot hold, get `_` for them.

    Args:
        path: the file, which appears whole or not at all.
        space: the words and their vectors.
        form: `text` or `binary` as word2vec writes them, or `glove`: text without header.

    Raises:
        CheckpointError: if it cannot be written.
        ValueError: for another form.
    """
    if form not in FORMATS:
        raise ValueError(f"form must be one of {', '.join(FORMATS)}, got {form!r}")
    names = [re.sub(r"\s", "_", word) for word in space.words]
    changed = sum(name != word for name, word in zip(names, space.words, strict=True))

    def write(out: Writable) -> None:
        if form != "glove":
            out.write(f"{len(names)} {space.dim}\n".encode())
        for start in range(0, len(names), _ROWS_AT_ONCE):
            part = np.asarray(space.matrix[start : start + _ROWS_AT_ONCE], dtype="<f4")
            out.write(b"".join(map(_encoder(form), names[start : start + len(part)], part)))

    write_atomic(path, write)
    return [f"{changed:,} words hold blanks; they are written with _ for them"] if changed else []


def _encoder(form: str) -> Any:
    def binary(name: str, row: npt.NDArray[np.float32]) -> bytes:
        return name.encode() + b" " + row.tobytes() + b"\n"

    def text(name: str, row: npt.NDArray[np.float32]) -> bytes:
        # nine digits bring every float32 back exactly
        return f"{name} {' '.join([f'{value:.9g}' for value in row.tolist()])}\n".encode()

    return binary if form == "binary" else text
