"""Where bytes of text come from: files, folders, compressed files, pipes, standard input."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

from charlm.base.errors import CorpusError
from charlm.text.decoding import CHUNK_BYTES, SNIFF_BYTES, Bytes, Warn, binary_problem, read_text
from charlm.text.expanding import SUFFIXES, expanding

MAX_SPOOLED_BYTES = 20 << 30
_SPOOL_MEMORY = 16 << 20


class Source(Protocol):
    """Bytes of one text that can be opened again and again."""

    label: str

    def open(self) -> contextlib.AbstractContextManager[Bytes]:
        """Return the (decompressed) bytes from their beginning."""


class FileSource:
    """A file on disk; `.gz`, `.xz` and `.bz2` are decompressed as they are read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.label = str(path)

    def open(self) -> contextlib.AbstractContextManager[Bytes]:
        """Return the file's bytes, decompressed and bounded where its name says so."""
        return self._opened()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Bytes]:
        try:
            with self.path.open("rb") as file:
                suffix = self.path.suffix.lower()
                yield expanding(file, suffix, self.label) if suffix in SUFFIXES else file
        except OSError as error:
            raise CorpusError(f"cannot read {self.label}: {error.strerror or error}") from error


class SpooledSource:
    """A stream that can be read once (standard input, a pipe), kept for further readings."""

    def __init__(
        self, label: str, stream: Callable[[], contextlib.AbstractContextManager[Bytes]]
    ) -> None:
        self.label = label
        self._stream = stream
        self._spool: IO[bytes] | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[Bytes]:
        """Return the bytes from their beginning, reading the stream to its end the first time."""
        if self._spool is None:
            self._spool = self._read_all()
            weakref.finalize(self, self._spool.close)
        self._spool.seek(0)
        yield self._spool

    def _read_all(self) -> IO[bytes]:
        """Read the stream into a file that has no name, and so goes when this process does."""
        import tempfile

        spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_MEMORY)  # noqa: SIM115
        try:
            with self._stream() as stream:
                for chunk in iter(lambda: stream.read(CHUNK_BYTES), b""):
                    _keep(spool, chunk, self.label)
                    if spool.tell() > MAX_SPOOLED_BYTES:
                        raise CorpusError(f"{self.label}: more than {MAX_SPOOLED_BYTES:,} bytes")
        except OSError as error:
            spool.close()
            raise CorpusError(f"cannot read {self.label}: {error.strerror or error}") from error
        except BaseException:
            spool.close()
            raise
        return spool


def _keep(spool: IO[bytes], data: bytes, label: str) -> None:
    import tempfile

    try:
        spool.write(data)
    except OSError as error:
        raise CorpusError(
            f"cannot keep {label} for further readings in {tempfile.gettempdir()}: "
            f"{error.strerror or error}; set TMPDIR to a folder with more room"
        ) from error


def standard_input() -> SpooledSource:
    """Return standard input as a source."""

    def stream() -> contextlib.AbstractContextManager[Bytes]:
        if sys.stdin is None or sys.stdin.closed:
            raise CorpusError("standard input is closed; name a file instead of -")
        return contextlib.nullcontext(sys.stdin.buffer)

    return SpooledSource("standard input", stream)


def file_source(path: Path) -> Source:
    """Return what reads one named file: a pipe is spooled, a device refused.

    Raises:
        CorpusError: if the path is no readable file.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error
    if stat.S_ISFIFO(mode):
        return SpooledSource(str(path), lambda: path.open("rb"))
    if not stat.S_ISREG(mode):
        raise CorpusError(f"{path} is no regular file; expected a text file, a folder or -")
    return FileSource(path)


def folder_sources(folder: Path, warn: Warn) -> list[Source]:
    """Return the text files under a folder, in order of their paths.

    Every regular file counts, whatever its suffix, but hidden ones (a name that begins with a
    dot, or inside such a folder) and binary ones; how many were left out is told to `warn`. Links
    to files are followed, links to folders are not.

    Raises:
        CorpusError: if no text file is there.
    """
    hidden, binary, sources = 0, 0, []
    for path in _walk(folder):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            hidden += 1
        elif path.is_file():
            source = FileSource(path)
            if _is_text(source):
                sources.append(source)
            else:
                binary += 1
    skipped = [f"{n} {what}" for n, what in ((hidden, "hidden"), (binary, "binary")) if n]
    left_out = f"left out {' and '.join(skipped)} files" if skipped else ""
    if not sources:
        raise CorpusError(f"no text files in {folder}{f' ({left_out})' if left_out else ''}")
    if left_out:
        warn(f"{folder}: {left_out}")
    return list(sources)


def read_source(source: Source, *, encoding_errors: str, warn: Warn) -> Iterator[str]:
    """Yield the normalised text of one source, about a mebibyte at a time.

    Raises:
        CorpusError: if it cannot be read, or is no text by the rule of `decoding`.
    """
    with source.open() as file:
        yield from read_text(
            file,
            source.label,
            encoding_errors=encoding_errors,
            warn=warn,
            piped=isinstance(source, SpooledSource),
        )


def _is_text(source: Source) -> bool:
    try:
        with source.open() as file:
            return not binary_problem(file.read(SNIFF_BYTES)).startswith("binary")
    except CorpusError:
        return True  # reading it will say what is wrong


def _walk(folder: Path) -> Iterator[Path]:
    found: list[Path] = []
    for parent, _, names in os.walk(folder):
        found.extend(Path(parent, name) for name in names)
    return iter(sorted(found))
