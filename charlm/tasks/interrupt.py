"""Signals that ask a training to stop: the first is noted, a second Ctrl-C stops at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Self

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruption(BaseException):
    """A signal came while there was nothing to finish first; see `Interrupts.at_once`."""


class Interrupts:
    """While open, `signal` is the name of the signal that came first, or an empty string.

    Only Ctrl-C counts twice: a service manager or a closing terminal may send its signal more
    than once, and what is being saved then should still be saved. Handlers can only be set in the
    main thread; elsewhere nothing is caught.
    """

    def __init__(self) -> None:
        self.signal = ""
        self._before: dict[int, Any] = {}
        self._at_once = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in _NAMES:
                number = getattr(signal, name, None)
                # a process started by nohup ignores SIGHUP, and should go on doing so
                if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal, also one that came before, raise `Interruption` in the body."""
        self._at_once = True
        try:
            if self.signal:
                raise Interruption
            yield
        finally:
            self._at_once = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.signal = signal.Signals(number).name
        if self._at_once:
            raise Interruption
