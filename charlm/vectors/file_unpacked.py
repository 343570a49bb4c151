"""Compressed files of word vectors, unpacked into a file without a name that can be mapped."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from charlm.base.errors import CheckpointError, CorpusError
from charlm.text.decoding import CHUNK_BYTES
from charlm.text.expanding import SUFFIXES, expanding


@contextlib.contextmanager
def unpacked(file: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """Return an open file, or where its name ends in one of `SUFFIXES` what was packed in it.

    That lies in a file without a name, which goes with this process.

    Raises:
        CheckpointError: if it is damaged, expands without bound, or finds no room.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        yield file
        return
    with tempfile.TemporaryFile() as plain:
        stream = expanding(file, suffix, str(path))
        try:
            while data := stream.read(CHUNK_BYTES):
                _keep(plain, data, path)
            plain.flush()
        except CorpusError as error:
            raise CheckpointError(str(error)) from error
        yield plain


def _keep(plain: IO[bytes], data: bytes, path: Path) -> None:
    try:
        plain.write(data)
    except OSError as error:
        raise CheckpointError(
            f"cannot unpack {path} in {tempfile.gettempdir()}: {error.strerror or error}; set "
            "TMPDIR to a folder with more room"
        ) from error
