"""Compressed files, read as they expand, within bounds."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO

from charlm.base.errors import CorpusError
from charlm.text.decoding import Bytes

MAX_EXPANDED_BYTES = 20 << 30
MAX_RATIO = 100  # text packs 3 to 10 times, logs 30; repetition made to harm 1,000 and more
RATIO_FREE_BYTES = 64 << 20
MAX_XZ_MEMORY = 128 << 20  # xz -9 asks for 65 MiB; a header may ask for 4 GiB
_READ_BYTES = 1 << 16


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
            if "Memory usage limit" in str(error):  # liblzma's words
                most = f"{MAX_XZ_MEMORY >> 20} MiB of memory"
                raise CorpusError(
                    f"{self._label}: needs more than {most} to unpack; "
                    "unpack it yourself if it is what you expect"
                ) from error
            raise CorpusError(f"{self._label}: damaged compressed file ({error})") from error


def _gzip(file: IO[bytes]) -> Bytes:
    import gzip

    return gzip.open(file, "rb")


def _bzip2(file: IO[bytes]) -> Bytes:
    import bz2

    return bz2.open(file, "rb")


class _Xz:
    """The streams of an .xz file, one after another, each within `MAX_XZ_MEMORY`.

    `lzma.open` takes whatever memory a header asks for.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rest = b""
        self._begin()

    def _begin(self) -> None:
        import lzma

        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        """Return up to `size` decompressed bytes."""
        while True:
            if self._stream.eof and not self._next():
                return b""
            if self._stream.needs_input and not self._rest:
                self._rest = self._file.read(_READ_BYTES)
                if not self._rest:
                    raise EOFError("it ends before its end mark")
            data = self._stream.decompress(self._rest, size)
            self._rest = self._stream.unused_data
            if data:
                return data

    def _next(self) -> bool:
        """Go on to the next stream, over the zeros that may part streams; False at the end."""
        while True:
            self._rest = self._rest.lstrip(b"\0")
            if self._rest:
                self._begin()
                return True
            self._rest = self._file.read(_READ_BYTES)
            if not self._rest:
                return False


_EXPANDERS: dict[str, Callable[[IO[bytes]], Bytes]] = {".gz": _gzip, ".xz": _Xz, ".bz2": _bzip2}
SUFFIXES = tuple(_EXPANDERS)
