"""From the shell to the first character: `charlm sample` with the bundled model, `charlm --help`.

Times whole processes from their start to their first byte and to their end; the median of warm
runs. The peer is a program that imports torch and prints one character, in turn with ours.

    python benchmarks/startup.py [--repeats 15]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

COMMANDS = (
    (
        "charlm sample (first character)",
        ["-m", "charlm", "sample", "-m", "shakespeare", "-n", "50"],
        250,
    ),
    ("charlm --help", ["-m", "charlm", "--help"], 180),
    ("charlm score", ["-m", "charlm", "score", "-m", "shakespeare", "I like apples"], 300),
    ("a program that imports torch", ["-c", "import torch; print(1)"], None),
)


def times(arguments: list[str], folder: str) -> tuple[float, float]:
    """Return the milliseconds to the first byte and to the end."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    process.stdout.read(1)
    first = time.perf_counter() - start
    process.stdout.read()
    process.wait()
    return first * 1e3, (time.perf_counter() - start) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        rounds = [[times(words, folder) for _, words, _ in COMMANDS] for _ in range(repeats + 1)][
            1:
        ]
    for (label, _, bar), runs in zip(COMMANDS, zip(*rounds, strict=True), strict=True):
        first, end = (statistics.median(column) for column in zip(*runs, strict=True))
        aim = f" (bar {bar} ms)" if bar else ""
        print(f"{label}: first byte {first:.0f} ms, end {end:.0f} ms{aim}")


if __name__ == "__main__":
    main()
