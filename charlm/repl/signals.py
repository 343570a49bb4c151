"""Signals to a session: Ctrl-C stops what is being done, others end the session in good order."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP")


class Interrupts:
    """When a Ctrl-C counts: while there is something to stop, and then once.

    One that comes between two lines, or while what was stopped is put in order, must not end the
    session.
    """

    def __init__(self) -> None:
        self.status = 0  # to leave with, when a signal asked for that
        self._count = False
        self._leave_loop: Callable[[], None] | None = None

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Let a Ctrl-C raise KeyboardInterrupt in the body."""
        self._count = True
        try:
            yield
        finally:
            self._count = False

    @contextlib.contextmanager
    def in_loop(self, leave: Callable[[], None]) -> Iterator[None]:
        """Have signals call `leave` while the body runs an event loop, and raise behind it.

        What a handler raises ends in whatever callback a loop just runs.
        """
        self._leave_loop = leave
        try:
            yield
        finally:
            self._leave_loop = None
            if self.status:
                raise SystemExit(self.status)

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Catch signals while the body runs; SIGTERM and SIGHUP raise SystemExit in it.

        Handlers can only be set in the main thread; elsewhere nothing is caught.
        """
        before = {}
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                before[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupt)
            for name in _ENDING:
                number = getattr(signal, name, None)
                # a process started by nohup ignores SIGHUP, and should go on doing so
                if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                    before[number] = signal.signal(number, self._leave)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._count:
            self._count = False
            raise KeyboardInterrupt

    def _leave(self, number: int, frame: FrameType | None) -> None:
        self.status = 128 + number
        if self._leave_loop is None:
            raise SystemExit(self.status)
        self._leave_loop()
