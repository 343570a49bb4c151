"""Word vectors as text, a word and its numbers a line; word2vec puts a header above, GloVe none."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError
from charlm.vectors.file_rows import MAX_WORD_BYTES, ReadVectors, Rows, shown

_LONGEST_NUMBER = 64
_FIRST_ROWS = 1_024  # room for so many, where no header says how many there are


def read_text(data: Any, start: int, promised: int | None, dim: int, where: str) -> ReadVectors:
    """Return the rows of text from a place in a file to its end.

    Args:
        data: the whole file.
        start: where the first row begins.
        promised: how many rows its header names; None without one.
        dim: how many numbers a row has.
        where: the file, for messages.

    Raises:
        CheckpointError: naming the row and what is wrong with it.
    """
    rows = Rows(where, min(promised or _FIRST_ROWS, (len(data) - start) // (2 * dim) + 1), dim)
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
    rows: Rows, number: int, line: bytes, dim: int
) -> tuple[bytes, npt.NDArray[np.float32]]:
    parts = line.rstrip().rsplit(maxsplit=dim)
    if len(parts) == dim + 1:
        values = _numbers(b" ".join(parts[1:]))
        if len(values) == dim:
            return parts[0].strip(), values
    numbers = len(parts) - 1
    for place, field in enumerate(parts[1:], 1):
        if not is_number(field):
            raise rows.wrong(number, f"number {place} is {shown(field)}")
    raise rows.wrong(number, f"{max(numbers, 0):,} numbers, expected {dim:,}")


def _numbers(text: bytes) -> npt.NDArray[np.float32]:
    try:
        return np.fromstring(text, dtype=np.float32, sep=" ")
    except ValueError:  # older versions of NumPy warn, and return what comes before
        return np.empty(0, dtype=np.float32)


def is_text_row(data: Any, start: int, dim: int) -> bool:
    """Return whether a line with so many numbers begins there; rows in binary do not look so."""
    limit = start + MAX_WORD_BYTES + dim * (_LONGEST_NUMBER + 1)
    line = data[start : min(limit, len(data))].split(b"\n", 1)[0]
    fields = line.split()[1:][-dim:]
    numbers = sum(map(is_number, fields))
    if fields and numbers == len(fields):
        return True
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    # a damaged row of text is for the text reader to tell about
    return 2 * numbers > len(fields) and all(byte >= 32 or byte in b"\t\r" for byte in line)


def is_number(field: bytes) -> bool:
    """Return whether a field is a number as these files write them."""
    if len(field) > _LONGEST_NUMBER or b"_" in field:
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True
