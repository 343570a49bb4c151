"""One job at a time in a thread of its own: what a training writes while it goes on.

A job that dies with the process is no loss: whatever it writes through `store` is whole or not
there. What it raises is raised again where its owner looks next.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable

NICENESS = 10


def _step_back() -> None:
    """Let this thread give way to those that train, where the system knows threads apart.

    A thread of a parallel sum that has to wait for its core keeps all others waiting.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(own + NICENESS, 19))


class BackgroundJob:
    """A thread that carries out one job after another, never two at once."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    @property
    def busy(self) -> bool:
        """Return whether a job is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, job: Callable[[], None]) -> None:
        """Begin a job; the one before is waited for.

        Raises:
            BaseException: what the job before raised.
        """
        self.wait()
        # A daemon: a program that is told to stop at once does not wait for a slow disk.
        self._thread = threading.Thread(target=self._run, args=(job,), daemon=True, name="save")
        self._thread.start()

    def _run(self, job: Callable[[], None]) -> None:
        _step_back()
        try:
            job()
        except BaseException as error:
            self._error = error

    def check(self) -> bool:
        """Return whether a job has ended since the last look.

        Raises:
            BaseException: what that job raised.
        """
        if self._thread is None or self._thread.is_alive():
            return False
        self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error
        return True

    def wait(self) -> bool:
        """Wait until no job is under way, then `check`."""
        if self._thread is not None:
            self._thread.join()
        return self.check()

    def abandon(self, seconds: float | None) -> bool:
        """Wait for so long at most (None: to the end); return whether no job is left.

        What the job raises is dropped: there is an error already that says more.
        """
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.busy
