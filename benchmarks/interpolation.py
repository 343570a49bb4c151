"""A recurrent and an n-gram model of PTB, alone and interpolated, the weight fitted on valid.

    python benchmarks/interpolation.py FOLDER [--max-time 10m] [--home HOME] [--adapt]

FOLDER holds ptb.train.txt, ptb.valid.txt and ptb.test.txt, plain, .gz or .xz. Models `ptb-lstm` and
`ptb-ngram` that lie in HOME/checkpoints are taken as they are; those that are missing are trained,
the recurrent one for --max-time. Every line end is a token: 82,430 tokens of test. --adapt adds
dynamic evaluation and the neural cache, tuned on valid, which see the test text as they go.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

RECURRENT, NGRAM, BAR = "ptb-lstm", "ptb-ngram", 85.0


def find_part(folder: Path, part: str) -> str:
    """Return the path of a part of PTB, compressed or not."""
    for suffix in ("", ".xz", ".gz"):
        path = folder / f"ptb.{part}.txt{suffix}"
        if path.is_file():
            return str(path.resolve())
    raise SystemExit(f"no ptb.{part}.txt in {folder}")


def charlm(home: Path, *line: str) -> dict:
    """Return the last JSON line that a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "charlm", *line, "--json"],
        env=os.environ | {"CHARLM_HOME": str(home)},
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    return json.loads(done.stdout.splitlines()[-1])


def train_missing(home: Path, parts: dict[str, str], max_time: str) -> None:
    """Train the models that are not in `home`."""
    kinds = {RECURRENT: ("lm", "--max-time", max_time, "--seed", "0"), NGRAM: ("ngram",)}
    for name, (kind, *options) in kinds.items():
        if (home / "checkpoints" / name).is_dir():
            print(f"{name}: taken from {home}")
            continue
        line = ["train", kind, parts["train"], "--valid", parts["valid"], "--name", name, "-q"]
        charlm(home, *line, "--tokenizer", "whitespace", *options)


def main() -> None:
    """Print the test perplexity of each model and of both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--max-time", default="10m")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--adapt", action="store_true")
    options = parser.parse_args()
    parts = {part: find_part(options.folder, part) for part in ("train", "valid", "test")}
    with tempfile.TemporaryDirectory() as temporary:
        home = (options.home or Path(temporary)).resolve()
        train_missing(home, parts, options.max_time)
        for name in (RECURRENT, NGRAM):
            found = charlm(home, "evaluate", parts["test"], "-m", name)
            print(f"{name:<40} test perplexity {found['perplexity']:7.2f}", flush=True)
        both = ["evaluate", parts["test"], "-m", RECURRENT, "-m", NGRAM]
        found = charlm(home, *both, "--fit-mix", parts["valid"])
        print(f"{found['model']:<40} test perplexity {found['perplexity']:7.2f} (bar: {BAR:g})")
        if options.adapt:
            line = ["evaluate", parts["test"], "-m", RECURRENT, "--tune", parts["valid"]]
            found = charlm(home, *line, "--cache", "--dynamic")
            for way in ("cache", "dynamic"):
                print(f"{RECURRENT} with {way:<25} test perplexity {found[way]['perplexity']:7.2f}")


if __name__ == "__main__":
    main()
