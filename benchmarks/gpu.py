"""Every figure that needs a GPU, and before them the checks that it computes what the CPU does.

    python benchmarks/gpu.py DATA [--part NAME…] [--json] [--home FOLDER] [--set PART.NAME=VALUE…]
                                  [--limit SECONDS] [--resume]
    python benchmarks/gpu.py --dry-run

DATA is a folder with tinyshakespeare/input.txt, ptb/ptb.{train,valid,test}.txt, wiki8/wiki8 and
the questions of `gpu_vectors.py`, as they are or with .xz; what is not there is named and left
out. Each part prints its figures as it gets them; the three that learn a text take its minutes and
some more for judging. Where a command may not run so long, --limit stops a training after so many
seconds, and --resume with the same --home goes on with it. `--set ptb.bptt=100` changes a setting
of a part. --dry-run goes every path with toys, on the CPU; its figures mean nothing.

It needs neither an installed charlm nor the libraries of its command line: NumPy, numba and
PyTorch. Exit status: 0 done, 1 if a check or a part failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import gpu_checks
import gpu_speed
import gpu_texts
import gpu_vectors
import torch
from gpu_report import Bench

PARTS: dict[str, Callable[[Bench], None]] = {
    "agreement": gpu_checks.agreement,
    "memory": gpu_checks.memory,
    "processes": gpu_checks.processes,
    "training": gpu_speed.training,
    "decoding": gpu_speed.decoding,
    "vectors": gpu_vectors.vectors,
    "shakespeare": gpu_texts.shakespeare,
    "ptb": gpu_texts.ptb,
    "wiki8": gpu_texts.wiki8,
}


def changes(words: list[str]) -> dict[str, dict[str, object]]:
    """Return settings by part from `PART.NAME=VALUE`."""
    found: dict[str, dict[str, object]] = {}
    for word in words:
        place, _, value = word.partition("=")
        part, _, name = place.partition(".")
        if part not in PARTS or not name or not value:
            raise SystemExit(f"--set {word}: write PART.NAME=VALUE, PART of {', '.join(PARTS)}")
        own = found.setdefault(part, {})
        try:
            own[name] = json.loads(value)
        except ValueError:
            own[name] = value
    return found


def run(bench: Bench, parts: list[str]) -> int:
    """Do the parts, each whatever became of the others."""
    for name in parts:
        bench.begin(name)
        try:
            PARTS[name](bench)
        except Exception:
            traceback.print_exc()
            bench.failed.append(f"{name}: stopped")
    for failure in bench.failed:
        print(f"FAILED  {failure}", file=sys.stderr)
    return 1 if bench.failed else 0


def main() -> int:
    """Parse the command line and do the parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, help="folder of data sets")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS), metavar="NAME")
    parser.add_argument("--dry-run", action="store_true", help="toys on the CPU")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--home", type=Path, help="folder for models and unpacked texts")
    parser.add_argument("--limit", type=float, help="seconds after which a training stops")
    parser.add_argument("--resume", action="store_true", help="go on with stopped trainings")
    parser.add_argument("--set", nargs="+", default=[], metavar="PART.NAME=VALUE")
    options = parser.parse_args()
    if not options.dry_run and options.data is None:
        parser.error("name the folder of data sets, or --dry-run")
    if not options.dry_run and not torch.cuda.is_available():
        raise SystemExit("no CUDA device was found; --dry-run goes every path on the CPU")
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        bench = Bench(
            data=None if options.dry_run else options.data,
            home=home.resolve(),
            dry=options.dry_run,
            device="cpu" if options.dry_run else "cuda",
            as_json=options.json,
            limit=options.limit,
            resume=options.resume,
            changed=changes(options.set),
        )
        return run(bench, options.part)


if __name__ == "__main__":
    raise SystemExit(main())
