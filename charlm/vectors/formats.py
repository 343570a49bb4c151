"""Files of word vectors: word2vec's text and binary forms, and GloVe's text, which has no header.

They may be compressed. All are checked row by row, and no more is allocated than the file's own
size, unpacked, allows. What can be repaired is, with a warning: words that occur twice, words that
are no UTF-8.
"""

from __future__ import annotations

import contextlib
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError
from charlm.store.files import Writable, write_atomic
from charlm.text.decoding import known_kind
from charlm.text.expanding import SUFFIXES
from charlm.vectors.file_binary import read_binary
from charlm.vectors.file_rows import ReadVectors
from charlm.vectors.file_text import is_number, is_text_row, read_text
from charlm.vectors.file_unpacked import unpacked
from charlm.vectors.space import Space

FORMATS = ("text", "binary", "glove")
_HEADER = re.compile(rb"[ \t]*([+-]?\d{1,20})[ \t]+([+-]?\d{1,20})[ \t]*\r?\n?")
_ROWS_AT_ONCE = 1_024


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
            return read_text(data, 0, None, _glove_dim(first, where), where)
        rows, dim = int(header[1]), int(header[2])
        _require_possible(rows, dim, len(data), where)
        if is_text_row(data, len(first), dim):
            return read_text(data, len(first), rows, dim, where)
        return read_binary(data, len(first), rows, dim, where)


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as packed, unpacked(packed, path) as file:
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
        raise _foreign(where, data[:8], "its first line has no end")
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
        if not is_number(field):
            break
        dim += 1
    if not dim:
        what = "its first line is neither a header (rows and numbers a row) nor a word with numbers"
        raise _foreign(where, first, what)
    return dim


def _foreign(where: str, head: bytes, what: str) -> CheckpointError:
    """Return the error that a file holds no vectors; `head` is how it begins."""
    if kind := known_kind(head):
        suffixes = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        return CheckpointError(
            f"{where}: not a file of word vectors, but {kind}; unpack it (packed files are read "
            f"where their names end in {suffixes})"
        )
    return CheckpointError(f"{where}: not a file of word vectors: {what}")


def write_vectors(path: Path, space: Space, form: str) -> list[str]:
    """Write vectors to a file that other programs read; return what a user should know of it.

    Args:
        path: the file, which appears whole or not at all.
        space, form: as `encode_vectors`.

    Raises:
        CheckpointError: if it cannot be written.
        ValueError: for another form.
    """
    warnings, blocks = encode_vectors(space, form)

    def write(out: Writable) -> None:
        for block in blocks:
            out.write(block)

    write_atomic(path, write)
    return warnings


def encode_vectors(space: Space, form: str) -> tuple[list[str], Iterator[bytes]]:
    """Return what a user should know of a file of these vectors, and its bytes, block by block.

    Words with blanks, which these forms cannot hold, get `_` for them.

    Args:
        space: the words and their vectors.
        form: `text` or `binary` as word2vec writes them, or `glove`: text without header.

    Raises:
        ValueError: for another form.
    """
    if form not in FORMATS:
        raise ValueError(f"form must be one of {', '.join(FORMATS)}, got {form!r}")
    names = [re.sub(r"\s", "_", word) for word in space.words]
    changed = sum(name != word for name, word in zip(names, space.words, strict=True))
    told = f"{changed:,} words hold blanks; they are written with _ for them"
    return [told] if changed else [], _blocks(space, names, form)


def _blocks(space: Space, names: list[str], form: str) -> Iterator[bytes]:
    if form != "glove":
        yield f"{len(names)} {space.dim}\n".encode()
    for start in range(0, len(names), _ROWS_AT_ONCE):
        part = np.asarray(space.matrix[start : start + _ROWS_AT_ONCE], dtype="<f4")
        yield b"".join(map(_encoder(form), names[start : start + len(part)], part))


def _encoder(form: str) -> Any:
    def binary(name: str, row: npt.NDArray[np.float32]) -> bytes:
        return name.encode() + b" " + row.tobytes() + b"\n"

    def text(name: str, row: npt.NDArray[np.float32]) -> bytes:
        # nine digits bring every float32 back exactly
        return f"{name} {' '.join([f'{value:.9g}' for value in row.tolist()])}\n".encode()

    return binary if form == "binary" else text
