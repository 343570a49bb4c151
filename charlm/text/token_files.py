"""Files of ids: written once, checked whole when they are opened, then mapped into memory.

A file is `KEY.ids`: a page of header (magic, JSON), then the ids in their smallest type. It comes
to be as `.KEY.partial`, with `.KEY.journal` telling how far it is good; the header is written last,
and one rename makes it a whole file. A build that was killed goes on from its journal, once the
bytes before that place prove to be those that were written.

Who writes or reads a file holds a lock of the system on it, which dies with its holder: two
processes do not build the same file, and `make_room` removes none that is in use.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CorpusError

IdArray = npt.NDArray[np.integer[Any]]
MOST_CACHED_BYTES = 20 << 30
_MAGIC = b"charlm ids 1\n"
_HEADER_BYTES = 4_096
_JOURNAL_PIECES = 32  # pieces between two entries of the journal: some tens of mebibytes
_CHUNK = 1 << 20
_OPEN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
logger = logging.getLogger(__name__)


class Tokens(NamedTuple):
    """The ids of a text, how many of them are unknown, and the checksum of their bytes."""

    ids: IdArray
    unknown: int
    sha256: str


def open_tokens(
    folder: Path, key: str, dtype: np.dtype[Any], vocab_size: int | None = None
) -> Tokens | None:
    """Return the ids of a finished file, mapped; None where there is none that is whole.

    A file that was cut off or changed is removed, to be built anew; so is one with ids of
    `vocab_size` or more, which kernels would read far off.
    """
    path = folder / f"{key}.ids"
    try:
        fd = os.open(path, os.O_RDONLY | _OPEN)
    except OSError:
        return None
    try:
        _lock(fd, shared=True)
        try:
            found = _checked(fd, dtype, vocab_size)
        except OSError:  # what a disk cannot read any more is no better than what it lost
            found = None
        if found is None:
            logger.warning("%s is damaged; the text is tokenised anew", path)
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - all goes through os, where tests inject
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used last, removed last
        with contextlib.suppress(OSError):  # killed between the two, its builder left it
            os.unlink(folder / f".{key}.journal")  # noqa: PTH108
        return found
    finally:
        os.close(fd)  # the map holds a duplicate, and with it the lock


def _checked(fd: int, dtype: np.dtype[Any], vocab_size: int | None) -> Tokens | None:
    size = os.fstat(fd).st_size
    head = os.pread(fd, _HEADER_BYTES, 0)
    try:
        header = json.loads(head.removeprefix(_MAGIC)) if head.startswith(_MAGIC) else {}
        count, unknown, sha256 = int(header["ids"]), int(header["unknown"]), str(header["sha256"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    if count < 0 or header.get("dtype") != dtype.name:
        return None
    if size != _HEADER_BYTES + count * dtype.itemsize:
        return None
    largest = _Largest(dtype)
    if _hash_of(fd, size - _HEADER_BYTES, largest.add).hexdigest() != sha256:
        return None
    if vocab_size is not None and largest.value >= vocab_size:
        return None
    return Tokens(_map(fd, count, dtype), unknown, sha256)


class _Largest:
    """The largest id among bytes that come in parts of whole ids."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self.value = -1

    def add(self, data: bytes) -> None:
        whole = len(data) // self._dtype.itemsize
        ids = np.frombuffer(data, dtype=self._dtype, count=whole)
        self.value = max(self.value, int(ids.max(initial=0)))


def _map(fd: int, count: int, dtype: np.dtype[Any]) -> IdArray:
    if not count:
        return np.empty(0, dtype=dtype)
    mapped = mmap.mmap(fd, _HEADER_BYTES + count * dtype.itemsize, access=mmap.ACCESS_READ)
    ids: IdArray = np.frombuffer(mapped, dtype=dtype, count=count, offset=_HEADER_BYTES)
    return ids


def mapping_of(ids: IdArray) -> mmap.mmap | None:
    """Return the file map that ids lie in; None of ids in memory."""
    base: object = ids
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    return base if isinstance(base, mmap.mmap) else None


def release(ids: IdArray) -> None:
    """Let go of the pages of mapped ids; they are read again when they are needed.

    Without this a process that walks through a file seems to hold all of it. Does nothing to ids
    in memory.
    """
    mapped = mapping_of(ids)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


class TokenWriter:
    """A file of ids being built; a context that holds its lock.

    Attributes:
        pieces: how many pieces of the text are in it: where to go on.
    """

    def __init__(self, folder: Path, key: str, dtype: np.dtype[Any]) -> None:
        self._path, self._dtype = folder / f"{key}.ids", dtype
        self._partial = folder / f".{key}.partial"
        self._journal = folder / f".{key}.journal"
        self.pieces, self._bytes, self._unknown = 0, 0, 0

    def __enter__(self) -> TokenWriter:
        with self._disk_errors():
            os.makedirs(self._path.parent, exist_ok=True)  # noqa: PTH103
            self._fd = _open_locked(self._partial)
            try:
                self._digest = self._go_on()
                os.ftruncate(self._fd, _HEADER_BYTES + self._bytes)
                os.lseek(self._fd, 0, os.SEEK_END)
            except BaseException:
                os.close(self._fd)
                raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def _go_on(self) -> Any:
        """Take up what a killed build left, as far as its journal and the bytes agree."""
        try:
            entry = json.loads(self._journal.read_bytes())
            pieces, size, unknown = (int(entry[name]) for name in ("pieces", "bytes", "unknown"))
            is_own = entry.pop("checksum") == _checksum(entry)
            if is_own and os.fstat(self._fd).st_size >= _HEADER_BYTES + size:
                digest = _hash_of(self._fd, size)
                if digest.hexdigest() == entry["sha256"]:
                    self.pieces, self._bytes, self._unknown = pieces, size, unknown
                    return digest
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            pass
        return hashlib.sha256()

    def append(self, ids: IdArray, unknown: int) -> None:
        """Add the ids of the next piece."""
        data = ids.astype(self._dtype, copy=False).tobytes()
        with self._disk_errors():
            _write_all(self._fd, memoryview(data))
        self._digest.update(data)
        self.pieces += 1
        self._bytes += len(data)
        self._unknown += unknown
        if self.pieces % _JOURNAL_PIECES == 0:
            self._note()

    def _note(self) -> None:
        """Write the journal. It needs no fsync: what it says is checked before it is believed."""
        entry = {
            "pieces": self.pieces,
            "bytes": self._bytes,
            "unknown": self._unknown,
            "sha256": self._digest.copy().hexdigest(),
        }
        entry["checksum"] = _checksum(entry)
        temporary = self._journal.with_suffix(".tmp")
        with self._disk_errors():
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OPEN, 0o666)
            try:
                _write_all(fd, memoryview(json.dumps(entry).encode()))
            finally:
                os.close(fd)
            os.replace(temporary, self._journal)  # noqa: PTH105

    def finish(self) -> None:
        """Make the file whole and durable under its name."""
        header = {
            "dtype": self._dtype.name,
            "ids": self._bytes // self._dtype.itemsize,
            "unknown": self._unknown,
            "sha256": self._digest.hexdigest(),
        }
        head = (_MAGIC + json.dumps(header).encode()).ljust(_HEADER_BYTES)
        with self._disk_errors():
            os.lseek(self._fd, 0, os.SEEK_SET)
            _write_all(self._fd, memoryview(head))
            os.fsync(self._fd)
            os.replace(self._partial, self._path)  # noqa: PTH105
            _fsync_folder(self._path.parent)
        with contextlib.suppress(OSError):
            os.unlink(self._journal)  # noqa: PTH108

    def discard(self) -> None:
        """Remove what was begun."""
        for path in (self._partial, self._journal):
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = self._path.parent
            if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
                raise CorpusError(
                    f"disk full while writing the ids of the text to {where}; free some space and "
                    "start again: what is done is kept"
                ) from error
            raise CorpusError(
                f"cannot write the ids of the text to {where}: {error.strerror or error}"
            ) from error


def make_room(folder: Path, needed: int = 0, most: int | None = None) -> None:
    """Remove the files used longest ago until all, and `needed` bytes, fit into `most`.

    Args:
        most: bytes that the folder may hold; None is `MOST_CACHED_BYTES`, 20 GiB.
    """
    room = (MOST_CACHED_BYTES if most is None else most) - needed
    files = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.endswith((".ids", ".partial", ".tokenizer")):
                with contextlib.suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    files.append((found.st_mtime_ns, found.st_size, Path(entry.path)))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= room:
            return
        if _remove_unused(path):
            total -= size


def _remove_unused(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | _OPEN)
    except OSError:
        return False
    try:
        if not _lock(fd, wait=False):
            return False
        os.unlink(path)  # noqa: PTH108
        with contextlib.suppress(OSError):
            os.unlink(path.with_suffix(".journal"))  # noqa: PTH108
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


def _open_locked(path: Path) -> int:
    """Return the descriptor of a file that is ours alone, waiting for one who writes it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | _OPEN, 0o666)
        try:
            if not _lock(fd, wait=False):
                logger.warning("another process tokenises the same text; waiting for it")
                _lock(fd)
            found = os.stat(path, follow_symlinks=False)  # noqa: PTH116
            if os.path.samestat(found, os.fstat(fd)):
                return fd
        except FileNotFoundError:  # finished by the other, and renamed
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _lock(fd: int, *, shared: bool = False, wait: bool = True) -> bool:
    """Lock an open file; return whether that was possible. File systems without locks have none."""
    try:
        import fcntl
    except ImportError:
        return True
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(fd, kind)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
    return True


def _checksum(entry: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()


def _hash_of(fd: int, size: int, see: Callable[[bytes], None] | None = None) -> Any:
    """Return the running checksum of the first `size` bytes behind the header, shown to `see`."""
    digest = hashlib.sha256()
    place, end = _HEADER_BYTES, _HEADER_BYTES + size
    while place < end and (data := os.pread(fd, min(_CHUNK, end - place), place)):
        digest.update(data)
        if see is not None:
            see(data)
        place += len(data)
    return digest


def _write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _fsync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems without it
            raise
    finally:
        os.close(fd)
