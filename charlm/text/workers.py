"""A job done by several processes at once, its answers in the order of the pieces.

The processes are this Python again, with a line of JSON to tell the job and frames of a length
and bytes for pieces and answers: nothing of the program that called is run anew in them, and
nothing that they are sent can run. They end when their standard input does, so none outlives us.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from charlm.base.errors import CharlmError, CorpusError, TokenizerError
from charlm.text.pieces import Piece
from charlm.text.tokenizing_jobs import Job, job_of, run_here

MOST_WORKERS = 12  # the reader feeds no more
FRAME = struct.Struct("<BQ")
PIECE, FINISH, ANSWER, PROBLEM = 1, 2, 3, 4
# -P keeps the current folder, where anything may lie, off the path; then ours is taken over.
_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from charlm.text.workers import serve
serve()
"""


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_job(job: Job, pieces: Iterable[Piece], workers: int) -> Iterator[bytes]:
    """Yield a job's answers to pieces, in order, then what each worker finishes with.

    Args:
        job: what to do.
        pieces: read as they are needed, some ahead.
        workers: processes beside this one; with less than two all is done here.

    Raises:
        TokenizerError: if a job fails.
        CorpusError: if a process dies.
    """
    if workers < 2:
        yield from run_here(job, pieces)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()

    def ask(text: str) -> bytes:
        worker = idle.get()
        try:
            return worker.ask(PIECE, text.encode("utf-8", "surrogatepass"))
        finally:
            idle.put(worker)

    with contextlib.ExitStack() as stack:
        crew = [stack.enter_context(_Worker(job)) for _ in range(workers)]
        for worker in crew:
            idle.put(worker)
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        waiting: deque[Future[bytes]] = deque()
        stack.callback(lambda: [future.cancel() for future in waiting])
        for piece in pieces:
            waiting.append(pool.submit(ask, job.shown(piece)))
            while len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        for worker in crew:
            yield worker.ask(FINISH, b"")


class _Worker:
    """A process that answers frames."""

    def __init__(self, job: Job) -> None:
        command = [sys.executable, "-P", "-c", _CODE, json.dumps(_path())]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._description = json.dumps(job.describe()).encode() + b"\n"

    def __enter__(self) -> _Worker:
        with contextlib.suppress(OSError):  # what is wrong will be told by the first answer
            self._stdin.write(self._description)
            self._stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        for stream in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                stream.close()
        self._process.wait()

    def ask(self, kind: int, data: bytes) -> bytes:
        """Send a frame and return the answer."""
        try:
            write_frame(self._stdin, kind, data)
            answered, answer = read_frame(self._stdout)
        except OSError as error:
            raise CorpusError(_DIED) from error
        if answered == PROBLEM:
            raise TokenizerError(answer.decode("utf-8", "replace"))
        return answer

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout


_DIED = (
    "a process that tokenised the text was killed, perhaps for lack of memory; "
    "start again, and what is done is kept"
)


def _path() -> list[str]:
    """Return where modules are found, charlm's own folder first."""
    own = str(Path(__file__).resolve().parents[2])
    # the current folder stands as '' in the path of some programs; a worker does without
    return [own, *(place for place in sys.path if place and place != own)]


def write_frame(stream: IO[bytes], kind: int, data: bytes) -> None:
    """Write a frame and flush it."""
    stream.write(FRAME.pack(kind, len(data)))
    stream.write(data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[int, bytes]:
    """Return the kind and the bytes of the next frame.

    Raises:
        BrokenPipeError: if the stream ends before or inside it.
    """
    head = stream.read(FRAME.size)
    if len(head) < FRAME.size:
        raise BrokenPipeError("the stream ended")
    kind, size = FRAME.unpack(head)
    data = stream.read(size)
    if len(data) < size:
        raise BrokenPipeError("the stream ended")
    return kind, data


def serve() -> None:
    """Be a worker: read the job, answer frames until standard input ends."""
    import signal

    # Ctrl-C reaches the whole group; it is for the parent to stop its workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, target = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(OSError):
        answer = _answering(source.readline())
        while True:
            write_frame(target, *answer(*read_frame(source)))


def _answering(description: bytes) -> Callable[[int, bytes], tuple[int, bytes]]:
    """Return what answers frames for the job described; what goes wrong is an answer too."""
    try:
        job = job_of(json.loads(description))
    except CharlmError as error:
        problem = PROBLEM, str(error).encode("utf-8", "replace")
        return lambda kind, data: problem

    def answer(kind: int, data: bytes) -> tuple[int, bytes]:
        try:
            if kind == FINISH:
                return ANSWER, job.finish()
            return ANSWER, job.answer(data.decode("utf-8", "surrogatepass"))
        except CharlmError as error:
            return PROBLEM, str(error).encode("utf-8", "replace")

    return answer
