"""Training tokens a second: charlm's step beside a plain `nn.LSTM` float32 loop, in one run.

Both train the same model (65 characters, embedding 64, no dropout) with AdamW and clipping; the
peer is what one writes first: `nn.Embedding`, `nn.LSTM`, `nn.Linear`, `cross_entropy`. Charlm's
arithmetic is what it chooses on this machine. Each has a process of its own, so that neither
inherits how the other's threads wait; their repeats take turns; the figure is the median.

    python benchmarks/training.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

SHAPES = ((256, 32, 64), (512, 64, 32), (512, 32, 64), (768, 64, 64))  # units, rows, bptt
UPDATES = 12  # a repeat


class Program:
    """One of the two, in its own process."""

    def __init__(self, script: str, shape: tuple[int, int, int]) -> None:
        command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, shape)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.name = self.process.stdout.readline().strip()

    def seconds(self) -> float:
        """Run some updates; return how long they took."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    for shape in SHAPES:
        hidden, rows, bptt = shape
        own, peer = Program("training_charlm.py", shape), Program("training_plain.py", shape)
        pairs = [(own.seconds(), peer.seconds()) for _ in range(options.repeats)]
        own.close()
        peer.close()
        tokens = UPDATES * rows * bptt
        mine, theirs = (tokens / statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(
            f"1 x {hidden}, {rows} rows of {bptt}: charlm {mine:,.0f} tokens a second "
            f"({own.name}), {peer.name} {theirs:,.0f}; {ratio:.2f} times",
            flush=True,
        )


if __name__ == "__main__":
    main()
