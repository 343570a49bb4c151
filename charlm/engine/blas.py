"""How many threads the matrix products of NumPy use, where NumPy's BLAS lets us say so.

NumPy's wheels carry OpenBLAS; its thread count is a global of the process. On another BLAS
(Accelerate, MKL) nothing happens here, and nothing needs to.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

R = TypeVar("R")

_PREFIXES = ("scipy_openblas", "openblas")
_SUFFIXES = ("64_", "")


def cpu_count() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def _controls() -> tuple[Callable[[], int], Callable[[int], Any]] | None:
    """Return the getter and the setter of OpenBLAS's thread count, or None elsewhere."""
    import ctypes

    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(path))  # loaded already: this only finds it
            except OSError:
                continue
            for prefix in _PREFIXES:
                for suffix in _SUFFIXES:
                    get = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
                    put = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
                    if get is not None and put is not None:
                        return get, put
    return None


def _is_decided() -> bool:
    """Whether the user has set the number of threads, which is then left alone."""
    return "OPENBLAS_NUM_THREADS" in os.environ or "OMP_NUM_THREADS" in os.environ


@contextlib.contextmanager
def blas_threads(count: int | None) -> Iterator[None]:
    """Set the number of BLAS threads for a while; None, or a BLAS we cannot ask, changes nothing.

    Who set `OPENBLAS_NUM_THREADS` or `OMP_NUM_THREADS` has decided, and is left alone.
    """
    controls = None if count is None or _is_decided() else _controls()
    if controls is None or count is None:
        yield
        return
    get, put = controls
    before = get()
    put(min(count, max(before, 1)))
    try:
        yield
    finally:
        put(before)


class StepThreads:
    """Runs the steps of one model on one BLAS thread, or on more where a trial shows it pays.

    OpenBLAS's threads wait for each other by spinning: on an idle machine two halve the time of
    a large matrix-vector product, beside another program they can take ten times as long as one.
    So both are timed for a few steps, again after some thousand, and whenever steps turn slow.
    The bits of a matrix-vector product do not depend on the number of threads: each thread
    computes whole rows.
    """

    SHARED_BYTES = 3 * 2**20  # smaller weights are read before a second thread has woken
    FIRST, PERIOD, PROBES = 64, 4096, 9  # steps
    GAIN = 0.9  # more threads must take less than this share of the time of one
    PATIENCE = 4.0  # a step this many times slower than in the trial starts a new one

    def __init__(
        self, weight_bytes: int, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._controls = None if _is_decided() else _controls()
        self._clock = clock
        self._many = min(cpu_count(), 4)
        self.may_share = weight_bytes >= self.SHARED_BYTES
        self._tries = self.may_share and self._many > 1
        self._steps_left = self.FIRST
        self._expected = 0.0
        self.count = 1

    def run(self, step: Callable[..., R], *args: Any) -> R:
        """Return `step(*args)`, run with the chosen number of threads."""
        if self._controls is None:
            return step(*args)
        get, put = self._controls
        before = get()
        if before == self.count and not self._tries:
            return step(*args)
        put(self.count)
        try:
            return self._timed(step, *args) if self._tries else step(*args)
        finally:
            put(before)

    def _timed(self, step: Callable[..., R], *args: Any) -> R:
        start = self._clock()
        result = step(*args)
        self.note(self._clock() - start)
        return result

    def note(self, seconds: float) -> None:
        """Take in how long a step took, and settle the number of threads for the next."""
        self._steps_left -= 1
        if self._steps_left < 0:
            self._probe(seconds)
        elif self.count > 1 and seconds > self.PATIENCE * self._expected:
            self.count, self._steps_left = 1, self.PERIOD
        elif self._steps_left == 0:
            self._times: dict[int, list[float]] = {1: [], self._many: []}
            self.count = 1

    def _probe(self, seconds: float) -> None:
        self._times[self.count].append(seconds)
        if len(self._times[self.count]) < self.PROBES:
            return
        if self.count == 1:
            self.count = self._many
            return
        one, many = (sorted(times)[len(times) // 2] for times in self._times.values())
        self.count = self._many if many < self.GAIN * one else 1
        self._expected, self._steps_left = many, self.PERIOD
