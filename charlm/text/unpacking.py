"""Single texts taken out of a download: by name, up to a bound, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from charlm.base.errors import CorpusError
from charlm.text.downloadable import Part

_BLOCK = 1 << 20


def unpack(source: Path, part: Part, target: Path) -> None:
    """Put one text of a downloaded file at `target`.

    Of a zip file only the one member is read: no other name in it is ever looked at, let alone
    written to.

    Raises:
        CorpusError: if the file has no such member, is damaged, or holds more than it may.
        OSError: if the disk refuses; then nothing is at `target` that was not there before.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with source.open("rb") as file, temporary.open("xb") as out:
            size = 0
            for block in _member(file, part.member) if part.member else _blocks(file):
                size += len(block)
                if size > part.max_bytes:
                    raise CorpusError(
                        f"{part.member or source} has more than {part.max_bytes:,} bytes"
                    )
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(_BLOCK), b"")


def _member(file: IO[bytes], name: str) -> Iterator[bytes]:
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive, archive.open(name) as member:
            yield from _blocks(member)
    except KeyError as error:
        raise CorpusError(f"there is no {name} in the zip file") from error
    except _damage() as error:
        raise CorpusError(f"{name}: damaged zip file ({error})") from error


def _damage() -> tuple[type[Exception], ...]:
    """Return what the standard library raises on zip files that are none, cut or made up."""
    import lzma
    import struct
    import zipfile
    import zlib

    known = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error)
    # OSError: a place outside the file; RuntimeError: a password, or a method unknown
    return (*known, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError, OSError)
