"""Files found by following coverage, of every kind that charlm reads: only its own errors may come.

    python -m venv FUZZ && FUZZ/bin/pip install . atheris hypothesis pytest
    FUZZ/bin/python benchmarks/fuzzing_guided.py [--count 10000] [KIND…]

Where `fuzzing.py` changes files blindly, atheris keeps those that reach new code and changes them
further. Each kind runs in a process of its own; a fault prints the file that caused it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "faults")]
MOST_MEGABYTES = 1_024  # of resident memory, atheris's own and its copy of the code included

with atheris.instrument_imports(include=["charlm"], enable_loader_override=False):
    from readers import READERS

    from charlm.base.errors import CharlmError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(READERS))
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args()
    return max([_in_a_child(kind, options.count) for kind in options.kinds])


def _in_a_child(kind: str, count: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        pid = os.fork()
        if not pid:
            _run(kind, Path(folder), count)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        told = "no faults" if status == 0 else f"FAULT (status {status})"
        print(f"{kind:34}{count:7}  {told}", flush=True)
        return abs(status)


def _run(kind: str, folder: Path, count: int) -> None:
    """Fuzz one kind; ends the process."""
    logging.disable()
    os.environ["CHARLM_HOME"] = str(folder)
    reader, examples = READERS[kind](folder), folder / "examples"
    examples.mkdir()
    (examples / "whole").write_bytes(reader.seed)
    for number in range(50):
        (examples / str(number)).write_bytes(reader.how(reader.seed, random.Random(number)))

    def read(data: bytes) -> None:
        with contextlib.suppress(CharlmError):
            reader.read(data)

    settings = [f"-runs={count}", f"-rss_limit_mb={MOST_MEGABYTES}", "-timeout=10", "-verbosity=0"]
    longest = f"-max_len={2 * len(reader.seed) + 1_000}"
    place = f"-artifact_prefix={tempfile.gettempdir()}/fuzzing-"
    atheris.Setup([sys.argv[0], *settings, longest, place, str(examples)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
