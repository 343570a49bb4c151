"""Signals to a session: Ctrl-C stops what is being done, others end the session in good order."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP")


class Interrupts:
    """When a Ctrl-C counts: while there is something to stop, and then once.

    One that comes between two lines, or while what was stopped is put in order, must not end the
    session.
    """

    def __init__(self) -> None:
        self._count = False

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Let a Ctrl-C raise KeyboardInterrupt in the body."""
        self._count = True
        try:
            yield
        finally:
            self._count = False

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
                    before[number] = signal.signal(number, _leave)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._count:
            self._count = False
            raise KeyboardInterrupt


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
