"""A parent that has torch imported, and forks a `charlm` for every line it reads.

Run as a program: `python server.py`. It has one thread, so that its children start clean; each
child is a process of its own that runs the very code of the command line, and dies by a real
signal. Lines in and out are JSON objects:

    {"start": [argv], "out": FILE, "err": FILE, "die_at": [call, k] | null,
     "limit_memory": BYTES | null, "user": UID | null, "home": FOLDER | null} -> {"pid": N}
    {"wait": PID}                                                    -> {"status": N}
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path


def main() -> None:
    """Answer lines until there are no more."""
    warm_up()
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            answer = {"pid": start(order)}
        else:
            _, status = os.waitpid(order["wait"], 0)
            answer = {"status": os.waitstatus_to_exitcode(status)}
        print(json.dumps(answer), flush=True)  # noqa: T201


def warm_up() -> None:
    """Train a little on one thread, so that all is imported and compiled, and no thread left."""
    from charlm.cli.app import run

    for precision in ("float32", "bfloat16"):
        argv = ["train", "cats.txt", "-o", precision, "--max-steps", "2", "--threads", "1"]
        sizes = ["--hidden-size", "16", "--batch-size", "4", "--bptt", "8", "--quiet"]
        assert run([*argv, *sizes, "--precision", precision, "--json"]) == 0
    sys.stdout.flush()
    if os.path.isdir("/proc/self/task"):  # noqa: PTH112
        assert len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208


def start(order: dict) -> int:
    """Fork a child that runs the command line, and return its number."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        status = child(order)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def child(order: dict) -> int:
    """Run a command line; return its exit status."""
    from charlm.cli.app import run

    for number, path in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(path, flags, 0o666), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if order.get("die_at"):
        call, at = order["die_at"]
        die_at(call, at)
    if order.get("limit_memory"):
        limit_memory_when_trained(order["limit_memory"])
    if order.get("home"):
        os.environ["CHARLM_HOME"] = order["home"]
    if order.get("user"):
        os.setgroups([])
        os.setgid(order["user"])
        os.setuid(order["user"])
    return run(order["start"])


def die_at(call: str, at: int) -> None:
    """Let this process kill itself at the call number `at` of those that a save makes."""
    from injection import CALLS

    seen = iter(range(1_000_000))

    def shim(real):
        def counted(*args, **options):
            if next(seen) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return counted

    for name in CALLS if call == "any" else (call,):
        setattr(os, name, shim(getattr(os, name)))


def limit_memory_when_trained(room: int) -> None:
    """Leave this process only so much more memory once its training has been saved."""
    from charlm.tasks.train_run import Run

    train = Run.train

    def limited(self):
        pages = Path("/proc/self/statm").read_text().split()[0]
        used = int(pages) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
        yield from train(self)

    Run.train = limited


if __name__ == "__main__":
    main()
