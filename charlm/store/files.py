"""Files that are either whole or not there: written beside, fsynced, renamed; read with limits."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from charlm.base.errors import CheckpointError

READ_LIMIT = 8 << 20
_PIECE = 4 << 20
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_READ_FLAGS = (
    os.O_RDONLY
    | _NO_FOLLOW
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO must not hang the reader
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_CREATE_FLAGS = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | _NO_FOLLOW
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_STRAY = re.compile(r"\..+\.(\d{1,10})\.tmp")


class Writable(Protocol):
    """Anything that bytes can be written to: a `BytesIO`, an open file, or our own sink."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take all of `data`."""


Contents = bytes | Callable[[Writable], object]


class Written(NamedTuple):
    """Size and checksum of a file that was just written."""

    size: int
    sha256: str


class _Sink:
    """A file being written: every byte goes through `os.write` and the checksum."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, data: bytes | memoryview, /) -> int:
        for start in range(0, len(data), _PIECE):  # some systems refuse 2 GB at once
            rest = memoryview(data)[start : start + _PIECE]
            self.digest.update(rest)
            while rest:
                taken = os.write(self.fd, rest)
                self.size += taken
                rest = rest[taken:]
        return len(data)


def write_new(path: Path, contents: Contents) -> Written:
    """Create a file that must not exist, write it and fsync it; its mode follows the umask.

    Raises:
        OSError: as the system says; what was written stays for the caller to remove.
    """
    fd = os.open(path, _CREATE_FLAGS, 0o666)
    try:
        sink = _Sink(fd)
        if callable(contents):
            contents(sink)
        else:
            sink.write(contents)
        os.fsync(fd)
    finally:
        os.close(fd)
    return Written(sink.size, sink.digest.hexdigest())


def write_atomic(path: Path, contents: Contents) -> Written:
    """Put a whole file at `path`, or leave what is there: never a part of it.

    A temporary neighbour `.NAME.PID.tmp` is written, fsynced and renamed, and the folder is
    fsynced, so that the file survives kill -9 and power loss.

    Args:
        path: the file to make or replace; its folder must exist.
        contents: the bytes, or a function that writes them.

    Raises:
        CheckpointError: if the disk is full or the system refuses; the old file is intact.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk_errors(path, "what was there before is intact"):
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)  # noqa: PTH108 - all writes go through os, where tests inject
            written = write_new(temporary, contents)
            os.replace(temporary, path)  # noqa: PTH105
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
            raise
        fsync_folder(path.parent)
    return written


def require_writable(folder: Path) -> None:
    """Raise `CheckpointError` if no file can be made in a folder; one is, and removed."""
    probe = folder / f".probe.{os.getpid()}.tmp"
    with disk_errors(folder, "nothing was changed"):
        try:
            write_new(probe, b"\0" * 4096)  # some bytes: a full disk still takes empty files
        finally:
            with contextlib.suppress(OSError):
                os.unlink(probe)  # noqa: PTH108


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems without it
            raise
    finally:
        os.close(fd)


def clear_strays(folder: Path) -> None:
    """Remove temporary files that killed processes left in a folder."""
    for name in os.listdir(folder):  # noqa: PTH208
        match = _STRAY.fullmatch(name)
        if match and not _is_alive(int(match[1])):
            with contextlib.suppress(OSError):
                os.unlink(folder / name)  # noqa: PTH108


def _is_alive(pid: int) -> bool:
    if pid == os.getpid() or os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def disk_errors(path: Path, comfort: str) -> Iterator[None]:
    """Turn an `OSError` of the body into a `CheckpointError` that says what is still safe."""
    try:
        yield
    except OSError as error:
        full = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        if error.errno in full:
            message = f"disk full while writing {path}; {comfort}: free some space and try again"
        else:
            message = f"cannot write {path}: {error.strerror or error}; {comfort}"
        raise CheckpointError(message) from error


def open_plain(path: Path) -> int:
    """Return the descriptor of a plain file opened for reading; no links, pipes or folders.

    Raises:
        CheckpointError: if it is missing, not a plain file, or may not be read.
    """
    try:
        fd = os.open(path, _READ_FLAGS)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.EMLINK):
            raise CheckpointError(f"{path} is a symbolic link; expected a plain file") from error
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"cannot read {str(path)!r}: {reason}") from error
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        found = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
        raise CheckpointError(f"{path} is {found}; expected a plain file")
    return fd


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[int]:
    """Yield the descriptor of a plain file, closed at the end; see `open_plain`."""
    fd = open_plain(path)
    try:
        yield fd
    finally:
        os.close(fd)


def read_all(fd: int, path: Path, limit: int) -> bytes:
    """Return all bytes of an open file, of which there may be `limit`.

    Raises:
        CheckpointError: if there are more, or the disk fails.
    """
    size = os.fstat(fd).st_size
    if size > limit:
        raise CheckpointError(f"{path} has {size:,} bytes; expected at most {limit:,}")
    pieces, room = [], limit + 1  # one more than allowed shows that it grew meanwhile
    try:
        while room and (piece := os.read(fd, min(room, max(size, 1) + 1))):
            pieces.append(piece)
            room -= len(piece)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    if not room:
        raise CheckpointError(f"{path} has more than {limit:,} bytes; expected at most that")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def read_bounded(path: Path, limit: int = READ_LIMIT) -> bytes:
    """Return the bytes of a plain file of at most `limit` bytes.

    Raises:
        CheckpointError: if it is missing, larger, not a plain file, or cannot be read.
    """
    with open_regular(path) as fd:
        return read_all(fd, path, limit)


def hash_file(fd: int, path: Path) -> str:
    """Return the sha256 of an open file, read piece by piece.

    Raises:
        CheckpointError: if the disk fails.
    """
    digest = hashlib.sha256()
    try:
        while piece := os.read(fd, 1 << 20):
            digest.update(piece)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    return digest.hexdigest()
