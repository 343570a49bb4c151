"""Word vectors in binary, as word2vec writes them: a word, a blank, and its numbers' bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from charlm.base.errors import CheckpointError
from charlm.vectors.file_rows import MAX_WORD_BYTES, ReadVectors, Rows


def read_binary(data: Any, start: int, promised: int, dim: int, where: str) -> ReadVectors:
    """Return the rows in binary from a place in a file to its end; arguments as `read_text`.

    Raises:
        CheckpointError: naming the row and what is wrong with it.
    """
    width, size = 4 * dim, len(data)
    if promised * (width + 2) > size:
        raise CheckpointError(
            f"{where}: the header promises {promised:,} rows of {dim:,} numbers in binary, which "
            f"take {promised * (width + 2):,} bytes or more; the file has {size:,}"
        )
    rows = Rows(where, promised, dim)
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
