"""Compressed files, read as they expand, within bounds."""

from __future__ import annotations

import os
from typing import IO

from charlm.base.errors import CorpusError
from charlm.text.decoding import Bytes

MAX_EXPANDED_BYTES = 20 << 30
MAX_RATIO = 1_000
RATIO_FREE_BYTES = 64 << 20


def expanding(file: IO[bytes], suffix: str, label: str) -> Bytes:
    """Return the decompressed stream of an open file whose name ends in one of `SUFFIXES`."""
    compressed = os.fstat(file.fileno()).st_size
    return _Expanded(_EXPANDERS[suffix](file), compressed, label)


class _Expanded:
    """A decompressing stream that refuses to grow without bound; errors become `CorpusError`."""

    def __init__(self, stream: Bytes, compressed: int, label: str) -> None:
        self._stream = stream
        self._compressed = compressed
        self._label = label
        self._total = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` decompressed bytes."""
        data = self._read(size)
        self._total += len(data)
        limit = min(MAX_EXPANDED_BYTES, max(RATIO_FREE_BYTES, MAX_RATIO * self._compressed))
        if self._total > limit:
            raise CorpusError(
                f"{self._label}: expands to more than {limit:,} bytes; "
                "unpack it yourself if it is what you expect"
            )
        return data

    def _read(self, size: int) -> bytes:
        import lzma
        import zlib

        try:
            return self._stream.read(size)
        except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
            raise CorpusError(f"{self._label}: damaged compressed file ({error})") from error


def _gzip(file: IO[bytes]) -> Bytes:
    import gzip

    return gzip.open(file, "rb")


def _xz(file: IO[bytes]) -> Bytes:
    import lzma

    return lzma.open(file, "rb")


_EXPANDERS = {".gz": _gzip, ".xz": _xz}
SUFFIXES = tuple(_EXPANDERS)
