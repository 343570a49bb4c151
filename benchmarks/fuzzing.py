"""Mutated files of every kind that charlm reads: only its own errors may come out.

    python benchmarks/fuzzing.py [--count 10000] [--start 0] [KIND…]

Each kind runs in a process of its own, so that a crash in native code is told as one; each case
has a number, which makes it again: `--start NUMBER --count 1`.
"""

from __future__ import annotations

import argparse
import collections
import logging
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / "faults")]
sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from mutation import cases  # noqa: E402
from readers import READERS  # noqa: E402

from charlm.base.errors import CharlmError  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(READERS))
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0)
    options = parser.parse_args()
    print(f"{'kind':34}{'files':>7}{'read':>7}{'refused':>9}{'faults':>8}{'slowest':>9}{'RSS':>8}")
    sys.stdout.flush()
    return max([_in_a_child(kind, options.start, options.count) for kind in options.kinds])


def _in_a_child(kind: str, start: int, count: int) -> int:
    """Run one kind in a fork of its own; a signal that ends it is a fault too."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "case"
        pid = os.fork()
        if not pid:
            try:
                os._exit(min(_run(kind, Path(folder), at, start, count), 100))
            except BaseException:
                traceback.print_exc()
                os._exit(101)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            print(f"{kind}: signal {os.WTERMSIG(status)} at case {at.read_text()}")
            return 1
        return os.WEXITSTATUS(status)


def _run(kind: str, folder: Path, at: Path, start: int, count: int) -> int:
    warnings.simplefilter("error")
    logging.disable()
    os.environ["CHARLM_HOME"] = str(folder)
    reader = READERS[kind](folder)
    seen = collections.Counter[str]()
    slowest = (0.0, 0)
    for number, data in cases(reader.seed, reader.how, count, start):
        at.write_text(str(number))
        begun = time.perf_counter()
        try:
            reader.read(data)
            seen["read"] += 1
        except CharlmError:
            seen["refused"] += 1
        except BaseException as error:
            seen["faults"] += 1
            if seen["faults"] <= 5:
                print(f"{kind}, case {number}: {type(error).__name__}: {str(error)[:200]}")
                traceback.print_exception(error, limit=-4)
        slowest = max(slowest, (time.perf_counter() - begun, number))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 if sys.platform == "darwin" else 1024
    )
    print(
        f"{kind:34}{count:7}{seen['read']:7}{seen['refused']:9}{seen['faults']:8}"
        f"{slowest[0]:8.2f}s{peak:5.0f} MB",
        flush=True,
    )
    return seen["faults"]


if __name__ == "__main__":
    sys.exit(main())
