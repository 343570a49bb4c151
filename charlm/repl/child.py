"""A training in a process of its own, beside the session.

Its process group is its own too: Ctrl-C at the prompt is not meant for it. It tells what it does
in lines of JSON, and what is for people as it tells it in any pipe.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from charlm.render.progress_events import VARIABLE, event_record, parse_event
from charlm.tasks.train_events import (
    Evaluated,
    Message,
    Planned,
    StepRecord,
    TrainEvent,
    VectorStep,
    Work,
)

NICENESS = 5  # keys and texts of the session come first
_MOST_LINE = 1 << 16
_MOST_TOLD = 20  # lines of one training that are kept to be told
# -P keeps the current folder, where anything may lie, off the path; then ours is taken over.
# SIGINT waits until the interpreter stands, which would tell of it by a traceback; from then on
# it ends without a word, until it can answer. A shell may have left SIGINT ignored to programs in
# the background, and to what they start. A KeyboardInterrupt that falls into a callback of a
# library's own code, as when kernels are compiled, is lost with a traceback: so that is kept
# quiet, and a second later the signal is sent again, if there is still somebody to hear it.
_CODE = """
import signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from charlm.cli.app import main

def stop(number, frame):
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    raise KeyboardInterrupt

def tell(lost):
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)

sys.unraisablehook = tell
signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT))
signal.signal(signal.SIGINT, stop)
try:
    main(sys.argv[2:])
finally:
    signal.setitimer(signal.ITIMER_REAL, 0.0)
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """What became of a training: a model of a name and kind, finished or stopped."""

    name: str
    kind: str
    steps: int
    interrupted: bool


class Training:
    """A `charlm train` that runs.

    Args:
        argv: what stands behind `charlm train`.
        changed: is called with it, in another thread, when there is something new to show.

    Attributes:
        running: whether it has not ended yet; `stopping` whether it was asked to end.
        name: of the model, as soon as it is known.
        step: how far it is; `valid` its last look at the validation text.
        stage: what it does before the first step.
        result: what became of it; `facts` the same as it wrote them, at its end.
        told: what it said to people, warnings and errors; whoever shows a line takes it away.
        resume: the command line that goes on with it, where it was stopped.
    """

    def __init__(self, argv: Sequence[str], changed: Callable[[Training], None]) -> None:
        self.name = _named(argv)
        self.stage = ""
        self.step: StepRecord | VectorStep | None = None
        self.work: Work | None = None
        self.valid: Evaluated | None = None
        self.result: Ended | None = None
        self.told: deque[str] = deque(maxlen=_MOST_TOLD)
        self.facts = ""
        self.resume = ""
        self.running = True
        self.stopping = False
        self._changed = changed
        self._facts: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed at its end
        self._process = _start(argv, self._facts)
        self._done = threading.Event()
        threading.Thread(target=self._follow, daemon=True, name="training").start()

    @property
    def status(self) -> int:
        """Its exit status; below zero the signal that ended it."""
        return self._process.poll() or 0

    def stop(self) -> None:
        """Ask it to save and end."""
        self.stopping = True
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it at once, with all processes that help it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end; return whether that came in time."""
        return self._done.wait(seconds)

    def _follow(self) -> None:
        stream = self._process.stderr
        assert stream is not None  # it was asked for
        while data := stream.readline(_MOST_LINE):
            line = data.decode("utf-8", "replace").rstrip("\n")
            record = event_record(line)
            if record is None:
                self._hear(line)
            else:
                self._note(parse_event(line), record)
            self._changed(self)
        stream.close()
        self._process.wait()
        with self._facts:
            self._facts.seek(0)
            self.facts = self._facts.read(_MOST_LINE).decode("utf-8", "replace")
        self.running = False
        try:
            self._changed(self)
        finally:
            self._done.set()  # last: who waited finds all of it told

    def _hear(self, line: str) -> None:
        """Take what it says to people. How to go on, the session says in its own words."""
        head, _, command = line.partition("go on with: charlm ")
        if command:
            self.resume = command
        elif line and not head.startswith("charlm: stopped and saved"):
            self.told.append(line)

    def _note(self, event: TrainEvent | None, record: dict[str, Any]) -> None:
        if isinstance(event, StepRecord | VectorStep):
            self.step, self.work, self.stage = event, None, ""
        elif isinstance(event, Work):
            self.work = event
        elif isinstance(event, Evaluated):
            self.valid = event
        elif isinstance(event, Planned):
            self.name = event.name
        elif record.keys() >= {"name", "kind", "steps"}:  # kinds of models differ in the rest
            self.name = str(record["name"])
            self.result = _ended(record)
        elif isinstance(event, Message):
            if event.warning:
                self._hear(f"charlm: warning: {event.text}")
            else:
                self.stage = event.text


def _ended(record: dict[str, Any]) -> Ended:
    steps = record["steps"]
    return Ended(
        name=str(record["name"]),
        kind=str(record["kind"]),
        steps=steps if isinstance(steps, int) else 0,
        interrupted=bool(record.get("interrupted")),
    )


def _named(argv: Sequence[str]) -> str:
    """Return the name that a command line gives a model."""
    for option, value in itertools.pairwise(argv):
        if option in ("-o", "--name"):
            return value
    return ""


def _start(argv: Sequence[str], facts: IO[bytes]) -> subprocess.Popen[bytes]:
    import json

    with _holding_back(signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE, json.dumps(_path()), "train", *argv],
            stdin=subprocess.DEVNULL,
            stdout=facts,
            stderr=subprocess.PIPE,
            env={**os.environ, VARIABLE: "json"},
            process_group=0,
        )
    with contextlib.suppress(OSError):
        # At once, while it has one thread, for those it will make inherit it.
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    return process


@contextlib.contextmanager
def _holding_back(number: int) -> Iterator[None]:
    """Have a signal wait: to a process that is started in the body, until it asks for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _path() -> list[str]:
    """Return where modules are found, charlm's own folder first, the current one not at all."""
    own = str(Path(__file__).resolve().parents[2])
    return [own, *(place for place in sys.path if place and place != own)]
