"""A disk that fails, or a process that dies, at the k-th system call of a save."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

CALLS = (
    *("open", "write", "pwrite", "fsync", "replace", "rename"),
    *("mkdir", "unlink", "rmdir", "ftruncate"),
)


class Killed(BaseException):
    """Death by kill -9: nothing catches it, and nothing works after it."""


class Clock:
    """How many calls were made, and whether one of them failed."""

    def __init__(self) -> None:
        self.calls = 0
        self.fired = False


@contextlib.contextmanager
def failing(
    patch,
    at: int,
    fail: Callable[[], BaseException],
    *,
    forever: bool,
    calls: Sequence[str] = CALLS,
) -> Iterator[Clock]:
    """Let the call number `at` (from 0) fail, and all later ones if `forever`.

    A failing write writes half of its bytes first. `patch` is pytest's monkeypatch; `calls` names
    those functions of `os` that are counted.
    """
    clock = Clock()

    def shim(name, real):
        def call(*args, **options):
            number, clock.calls = clock.calls, clock.calls + 1
            if number == at or (forever and number > at):
                if name == "write" and number == at:
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                clock.fired = True
                raise fail()
            return real(*args, **options)

        return call

    with patch.context() as inner:
        for name in calls:
            inner.setattr(os, name, shim(name, getattr(os, name)))
        yield clock
