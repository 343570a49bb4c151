"""One writer a folder: a lock that the kernel frees when its holder dies, however it dies.

Where there is no `fcntl` (Windows), or the file system has no locks, nothing is locked: two
trainings in one folder are then the user's to avoid.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from charlm.base.errors import CheckpointError
from charlm.store.documents import dump_json, parse_object
from charlm.store.files import disk_errors

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_PROBE_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_WAITS = (0.001, 0.004, 0.02, 0.08)  # seconds
logger = logging.getLogger(__name__)


class FolderLock:
    """The right to write in a folder, from `acquire` to `release`; a context manager.

    The file `.lock` stays behind: removing it would let two processes lock two files. A process
    that is forked while the lock is held shares it until it ends or runs another program.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fd = -1

    def acquire(self) -> Self:
        """Take the lock at once or not at all; the folder is made if missing.

        Raises:
            CheckpointError: if another process holds it (it is named), or the folder may not be
                written.
        """
        with disk_errors(self.folder, "nothing was changed"):
            self.folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.folder / LOCK, _FLAGS, 0o666)
        try:
            self._take(fd)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return self

    def _take(self, fd: int) -> None:
        if fcntl is None:  # pragma: no cover - Windows
            return
        try:
            _lock_soon(fd)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise CheckpointError(_in_use(self.folder, _holder(fd))) from error
            logger.warning("%s: no locks on this file system: %s", self.folder, error)
        with contextlib.suppress(OSError):  # a full disk: locked, though namelessly
            os.ftruncate(fd, 0)
            os.pwrite(fd, dump_json(_self_description(), lenient=True, indent=None), 0)

    def check(self) -> None:
        """Raise `CheckpointError` if the folder was removed or replaced since `acquire`."""
        try:
            same = os.path.samestat(os.fstat(self._fd), (self.folder / LOCK).stat())
        except OSError:
            same = False
        if not same:
            raise CheckpointError(f"{self.folder} was removed or replaced while it was in use")

    def keep(self) -> None:
        """Hold the lock as long as the process lives: a thread of it may still write here."""
        self._fd = -1

    def release(self) -> None:
        """Give the lock back; more than once is fine."""
        if self._fd >= 0:
            if fcntl is not None:
                with contextlib.suppress(OSError):
                    fcntl.flock(self._fd, fcntl.LOCK_UN)  # also where a fork shares it
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _lock_soon(fd: int) -> None:
    """Take the lock; who only looks whether it is held has it for a moment, too."""
    for wait in _WAITS:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            time.sleep(wait)
    return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def require_unlocked(folder: Path) -> None:
    """Raise `CheckpointError` naming the process that works in a folder, if there is one."""
    if holder := find_holder(folder):
        raise CheckpointError(_in_use(folder, holder))


def find_holder(folder: Path) -> str | None:
    """Return who works in a folder, in words; None if nobody does."""
    if fcntl is None:  # pragma: no cover - Windows
        return None
    try:
        fd = os.open(folder / LOCK, _PROBE_FLAGS)
    except OSError:  # nobody ever locked it, or we may not look
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return _holder(fd) if error.errno in (errno.EAGAIN, errno.EACCES) else None
    finally:
        os.close(fd)
    return None


def _in_use(folder: Path, holder: str) -> str:
    return f"{folder} is in use by {holder}; wait until it ends, or choose another name"


def _self_description() -> dict[str, Any]:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _holder(fd: int) -> str:
    try:
        found = parse_object(os.pread(fd, 4096, 0), LOCK)
        pid, host, since = (str(found[key])[:100] for key in ("pid", "host", "since"))
    except (CheckpointError, KeyError, OSError):
        return "another process"
    return f"process {pid} on {host} (since {since})"
