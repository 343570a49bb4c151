"""How much memory a training on a very large text takes, and on a text of one enormous line.

    python benchmarks/large_text.py --gigabytes 10 --folder /tmp
    python benchmarks/large_text.py --gigabytes 0.1 --one-line

A text is made up of random words; then `charlm train lm` reads,
counts, tokenises and trains on it for some steps. Beside its resident memory stands that of a
Python that has only imported torch. What was made is removed at the end. Linux only: memory is
read from /proc, ten times a second. Further options are those of `charlm train lm`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

WORDS, PASSAGES, WORDS_A_PASSAGE = 50_000, 4_096, 700


def write_text(path: Path, size: int, *, one_line: bool) -> None:
    """Write `size` bytes of random words, the frequent ones often, in passages in random order."""
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz"))
    words = ["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(WORDS)]
    end = " " if one_line else "\n"
    passages = []
    for _ in range(PASSAGES):
        drawn = (WORDS ** rng.random(WORDS_A_PASSAGE)).astype(int).tolist()
        lines = (drawn[start : start + 12] for start in range(0, len(drawn), 12))
        passage = "".join(" ".join(words[i - 1] for i in line) + end for line in lines)
        passages.append(passage.encode())
    with path.open("wb") as file:
        while (left := size - file.tell()) > 0:
            order = rng.integers(0, PASSAGES, PASSAGES).tolist()
            file.write(b"".join(passages[i] for i in order)[:left])


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it has started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def resident(pid: int, kind: str = "Rss") -> int:
    """Return the resident bytes of a process; `Pss` shares out what several hold."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) << 10
    return 0


def watched(command: list[str], home: Path) -> tuple[int, int, float]:
    """Return the highest resident memory of a command, of it and its children, and its seconds."""
    begun, one, all_together = time.monotonic(), 0, 0
    environment = os.environ | {"CHARLM_HOME": str(home)}
    with subprocess.Popen(command, env=environment) as process:
        while process.poll() is None:
            try:
                one = max(one, resident(process.pid))
                all_together = max(
                    all_together, sum(resident(p, "Pss") for p in family(process.pid))
                )
            except OSError:  # one that has just ended
                pass
            time.sleep(0.1)
    if process.returncode:
        sys.exit(process.returncode)
    return one, all_together, time.monotonic() - begun


def main() -> None:
    """Make a text, train on it, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=10.0)
    parser.add_argument("--one-line", action="store_true", help="without a single line break")
    parser.add_argument("--tokenizer", default="char")
    parser.add_argument("--max-steps", type=int, default=200)
    parser.add_argument("--folder", help="where there is room; else that of temporary files")
    given, rest = parser.parse_known_args()
    home = Path(tempfile.mkdtemp(prefix="large-", dir=given.folder))
    try:
        text = home / "text.txt"
        write_text(text, int(given.gigabytes * 1e9), one_line=given.one_line)
        bare, _, _ = watched([sys.executable, "-c", "import torch, time; time.sleep(1)"], home)
        command = [sys.executable, "-m", "charlm", "train", "lm", str(text), "-o", "large"]
        options = ["--tokenizer", given.tokenizer, "--max-steps", str(given.max_steps), "--json"]
        one, together, seconds = watched([*command, *options, *rest], home)
    finally:
        shutil.rmtree(home)
    what = "one line" if given.one_line else "lines"
    print(
        f"{given.gigabytes:g} GB in {what}, {given.tokenizer}: {seconds:.0f} s to tokenise and "
        f"train {given.max_steps} steps; at most {one / 1e6:.0f} MB resident, "
        f"{(one - bare) / 1e6:.0f} MB above the {bare / 1e6:.0f} MB of import torch; with the "
        f"processes that help {together / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main()
