"""`metrics.jsonl`: one JSON object a logged step, appended while training, read by plots.

The log never stops a training: a full disk costs records, not the run. A line torn by a kill is
dropped by readers and cut off by the next writer.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from charlm.base.errors import CheckpointError
from charlm.store.documents import dump_json, parse_object
from charlm.store.files import disk_errors, read_bounded

METRICS = "metrics.jsonl"
READ_LIMIT = 256 << 20
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class MetricsLog:
    """The open log of a run; a context manager.

    Args:
        folder: the model folder, which must exist.
        resume_step: keep the records up to this step and go on after them; None starts anew.

    Raises:
        CheckpointError: if the file cannot be opened.
    """

    def __init__(self, folder: Path, *, resume_step: int | None = None) -> None:
        self.path = folder / METRICS
        self.warning: str | None = None
        with disk_errors(self.path, "nothing was changed"):
            self._fd = os.open(self.path, _FLAGS, 0o666)
            try:
                kept = 0 if resume_step is None else _bytes_until(self.path, resume_step)
                os.ftruncate(self._fd, kept)
            except BaseException:
                self.close()
                raise
        self._end = kept

    def append(self, record: dict[str, Any]) -> str | None:
        """Write one record as one line; return a warning the first time the disk refuses.

        NaN and infinities become null. Later records are tried again.
        """
        line = dump_json(record, lenient=True, indent=None)
        try:
            written = os.pwrite(self._fd, line, self._end)
            if written < len(line):
                os.ftruncate(self._fd, self._end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            return self._warn(error)
        self._end += written
        return None

    def _warn(self, error: OSError) -> str | None:
        if self.warning is not None:
            return None
        reason = error.strerror or str(error)
        self.warning = f"cannot write {self.path}: {reason}; training goes on without it"
        return self.warning

    def sync(self) -> None:
        """Make the records so far durable, where the disk can: a log is no reason to stop."""
        with contextlib.suppress(OSError):
            os.fsync(self._fd)

    def close(self) -> None:
        """Close the log; more than once is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _bytes_until(path: Path, step: int) -> int:
    """Return how many bytes hold the whole records up to a step."""
    kept = 0
    for line in read_bounded(path, READ_LIMIT).splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        try:
            found = parse_object(line, str(path)).get("step", 0)
        except CheckpointError:
            break
        if not isinstance(found, int | float) or found > step:
            break
        kept += len(line)
    return kept


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the records of a model folder's log; none if it has no log.

    A last line without its end is a record being written, or torn by a kill: it is left out.

    Raises:
        CheckpointError: naming file and line, if another line is no JSON object.
    """
    path = folder / METRICS
    if not os.path.lexists(path):
        return []
    lines = read_bounded(path, READ_LIMIT).split(b"\n")[:-1]
    return [
        parse_object(line, f"{path}, line {number},")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
