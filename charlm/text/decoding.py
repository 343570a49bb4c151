"""Bytes to text: which encodings are read, and what becomes of line ends and invalid bytes.

What is read: UTF-8. A leading byte order mark is dropped; UTF-16 and UTF-32 are recognised by
theirs and refused by name. CR LF and lone CR become LF, all else stays. A file with NUL bytes, a
known binary header, or more than 30 % control bytes at its beginning is refused as binary, whatever
`encoding_errors` says. Invalid bytes: `strict` raises with file, line and byte offset, `replace`
puts U+FFFD, `skip` leaves them out; both report how many.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import Protocol

from charlm.base.errors import CorpusError
from charlm.text.normalize import normalize_newlines

CHUNK_BYTES = 1 << 20
SNIFF_BYTES = 1 << 16
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
_PACKED = {"gzip": ".gz", "xz": ".xz", "bzip2": ".bz2"}  # by the suffixes that files are read by
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


def read_text(
    file: Bytes, label: str, *, encoding_errors: str, warn: Warn, piped: bool = False
) -> Iterator[str]:
    """Yield the normalised text of open bytes, about a mebibyte at a time.

    Args:
        file: the bytes.
        label: their name for messages.
        encoding_errors, warn: by the rule above.
        piped: whether they have no name to put a suffix on.

    Raises:
        CorpusError: if they are binary, in another encoding, or (strict) no UTF-8; the message
            names the place.
    """
    head = file.read(SNIFF_BYTES)
    if problem := binary_problem(head, piped=piped):
        raise CorpusError(f"{label}: {problem}")
    yield from _decoded(file, head, label, encoding_errors, warn)


def binary_problem(head: bytes, *, piped: bool = False) -> str:
    """Return why a text cannot begin like this, or an empty string.

    Args:
        head: its first bytes.
        piped: whether it has no name to put a suffix on.

    Example:
        >>> binary_problem(b"plain text"), binary_problem(b"\\x7fELF...")
        ('', 'binary (ELF); expected UTF-8 text')
    """
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return f"{encoding} text; expected UTF-8 (iconv -f {encoding} -t UTF-8 converts it)"
    if kind := known_kind(head):
        return f"binary ({kind}); {_remedy(kind, piped)}"
    if b"\0" in head:
        return f"binary (NUL byte at offset {head.index(0)}); expected UTF-8 text"
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls > 0.3 * len(head):
        return "binary (mostly control bytes); expected UTF-8 text"
    return ""


def known_kind(head: bytes) -> str:
    """Return what kind of binary file begins like this, or an empty string.

    Example:
        >>> known_kind(b"PK\\x03\\x04 and so on"), known_kind(b"text")
        ('zip', '')
    """
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")


def _remedy(kind: str, piped: bool) -> str:
    suffix = _PACKED.get(kind)
    if suffix is None:
        return "expected UTF-8 text"
    if piped:
        return f"unpack it on the way: {kind} -dc FILE{suffix} | charlm …"
    return f"give it the suffix {suffix}"


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
