"""Text from files, folders, globs, compressed files and standard input, as a stream of characters.

What is read: UTF-8. A leading byte order mark is dropped; UTF-16 and UTF-32 are recognised by
theirs and refused by name. CR LF and lone CR become LF, all else stays. A file with NUL bytes, a
known binary header, or more than 30 % control bytes at its beginning is refused as binary, whatever
`encoding_errors` says. Invalid bytes: `strict` raises with file, line and byte offset, `replace`
puts U+FFFD, `skip` leaves them out; both report how many.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

from charlm.base.errors import CorpusError
from charlm.text.normalize import normalize_newlines

CHUNK_BYTES = 1 << 20
SNIFF_BYTES = 1 << 16
MAX_EXPANDED_BYTES = 20 << 30
MAX_RATIO = 1_000
RATIO_FREE_BYTES = 64 << 20
_SPOOL_MEMORY = 64 << 20
ENCODING_ERRORS = ("strict", "replace", "skip")

Warn = Callable[[str], None]

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7-zip",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"%PDF-": "PDF",
    b"\x7fELF": "ELF",
}
_BOMS = {  # UTF-32 first: its mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_CONTROLS = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}) + b"\x7f"


class Bytes(Protocol):
    """An open stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


class Source(Protocol):
    """Bytes of one text that can be opened again and again."""

    label: str

    def open(self) -> contextlib.AbstractContextManager[Bytes]:
        """Return the (decompressed) bytes from their beginning."""


class FileSource:
    """A file on disk; `.gz` and `.xz` are decompressed as they are read."""

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
                yield _expanding(file, suffix, self.label) if suffix in _EXPANDERS else file
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
        import tempfile

        spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_MEMORY)  # noqa: SIM115
        try:
            with self._stream() as stream:
                for chunk in iter(lambda: stream.read(CHUNK_BYTES), b""):
                    spool.write(chunk)
                    if spool.tell() > MAX_EXPANDED_BYTES:
                        raise CorpusError(f"{self.label}: more than {MAX_EXPANDED_BYTES:,} bytes")
        except OSError as error:
            spool.close()
            raise CorpusError(f"cannot read {self.label}: {error.strerror or error}") from error
        except BaseException:
            spool.close()
            raise
        return spool


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
        CorpusError: if it cannot be read, is binary, in another encoding, or (strict) has
            invalid bytes; the message names the place.
    """
    with source.open() as file:
        head = file.read(SNIFF_BYTES)
        if problem := binary_problem(head):
            raise CorpusError(f"{source.label}: {problem}")
        yield from _decoded(file, head, source.label, encoding_errors, warn)


def binary_problem(head: bytes) -> str:
    """Return why a text cannot begin like this, or an empty string.

    Example:
        >>> binary_problem(b"plain text"), binary_problem(b"\\x7fELF...")
        ('', 'binary (ELF); expected UTF-8 text')
    """
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return f"{encoding} text; expected UTF-8 (iconv -f {encoding} -t UTF-8 converts it)"
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            suffix = {"gzip": ".gz", "xz": ".xz"}.get(kind)
            remedy = f"; give it the suffix {suffix}" if suffix else "; expected UTF-8 text"
            return f"binary ({kind}){remedy}"
    if b"\0" in head:
        return f"binary (NUL byte at offset {head.index(0)}); expected UTF-8 text"
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls > 0.3 * len(head):
        return "binary (mostly control bytes); expected UTF-8 text"
    return ""


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


def _decoded(
    file: Bytes, head: bytes, label: str, encoding_errors: str, warn: Warn
) -> Iterator[str]:
    decode = _Decoder(label, encoding_errors)
    data = head.removeprefix(codecs.BOM_UTF8)
    decode.offset = len(head) - len(data)
    while data:
        if text := decode(data):
            yield text
        data = file.read(CHUNK_BYTES)
    if text := decode(b"", final=True):
        yield text
    if decode.invalid:
        what = "replaced by U+FFFD" if encoding_errors == "replace" else "left out"
        warn(f"{label}: {decode.invalid:,} invalid byte sequences {what}")


class _Decoder:
    """UTF-8 in chunks to normalised text, keeping count of lines, bytes and errors."""

    def __init__(self, label: str, encoding_errors: str) -> None:
        self.label = label
        self.errors = {"skip": "ignore"}.get(encoding_errors, encoding_errors)
        self.offset = 0  # bytes before `_rest`
        self.line = 1
        self.invalid = 0
        self._rest = b""  # an unfinished character
        self._held = ""  # a CR that may belong to a LF

    def __call__(self, data: bytes, final: bool = False) -> str:
        if b"\0" in data:
            where = self.offset + len(self._rest) + data.index(0)
            raise CorpusError(
                f"{self.label}: binary (NUL byte at offset {where}); expected UTF-8 text"
            )
        data = self._rest + data
        text, consumed = self._decode(data, final)
        self.offset += consumed
        self._rest = data[consumed:]
        return self._finish_lines(text, final)

    def _decode(self, data: bytes, final: bool) -> tuple[str, int]:
        try:
            return codecs.utf_8_decode(data, "strict", final)
        except UnicodeDecodeError as error:
            if self.errors == "strict":
                raise CorpusError(self._complaint(error)) from error
        replaced, consumed = codecs.utf_8_decode(data, "replace", final)
        ignored = codecs.utf_8_decode(data, "ignore", final)[0]
        # the text's own U+FFFD stand in both
        self.invalid += replaced.count("\ufffd") - ignored.count("\ufffd")
        return (replaced if self.errors == "replace" else ignored), consumed

    def _complaint(self, error: UnicodeDecodeError) -> str:
        before = self._held + error.object[: error.start].decode()
        line = self.line + normalize_newlines(before).count("\n")
        return (
            f"{self.label}, line {line}: invalid UTF-8 at byte {self.offset + error.start} "
            f"(0x{error.object[error.start]:02x}); convert the file to UTF-8, or take "
            "--encoding-errors replace or skip"
        )

    def _finish_lines(self, text: str, final: bool) -> str:
        text = self._held + text
        self._held = ""
        if not final and text.endswith("\r"):
            text, self._held = text[:-1], "\r"
        text = normalize_newlines(text)
        self.line += text.count("\n")
        return text


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


def _expanding(file: IO[bytes], suffix: str, label: str) -> Bytes:
    compressed = os.fstat(file.fileno()).st_size
    return _Expanded(_EXPANDERS[suffix](file), compressed, label)
