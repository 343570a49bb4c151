"""How much a run of a stated time learns: `charlm train lm` with nothing else named.

    python benchmarks/learning.py TEXT [--max-time 60s 3m] [--seed 0]
    python benchmarks/learning.py --ptb FOLDER [--max-time 10m]

TEXT is split by charlm: the first 90 % to train on, the last 10 % scored once at the end, static,
its state carried from its first character to its last. With --ptb the folder holds ptb.train.txt,
ptb.valid.txt and ptb.test.txt (tokenised, 10,000 words), or these with .gz or .xz; the figure is
the test perplexity. The peers' figures are those they publish; see README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

PEERS_TEXT = "nanoGPT on the same split: 1.4697 on an A100 in 3 minutes, 1.88 on CPU cores"
PEERS_PTB = "KenLM 5-gram 141.2, Zaremba's small LSTM 115 (13 epochs on a GPU)"


def train(arguments: list[str], home: Path) -> dict:
    """Run `charlm train lm --json` and return its last line."""
    command = [sys.executable, "-m", "charlm", "train", "lm", "--json", "--quiet", *arguments]
    done = subprocess.run(command, cwd=home, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return json.loads(done.stdout.splitlines()[-1])


def report(label: str, result: dict) -> None:
    part = result.get("test") or result["valid"]
    print(
        f"{label}: {part['nats_per_token']:.4f} nats a token, perplexity "
        f"{part['perplexity']:.2f}, {part['bits_per_char']:.4f} bits a character over "
        f"{part['tokens']:,} tokens; {result['parameters']:,} parameters, "
        f"{result['epochs']:.1f} epochs in {result['duration_seconds']:.0f} s, "
        f"{result['tokens_per_second']:,.0f} tokens a second on {result['device']}"
    )


def find(folder: Path, name: str) -> Path:
    """Return a file of a folder, as it is or compressed."""
    return next(path for path in sorted(folder.resolve().glob(f"{name}*")) if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", type=Path)
    parser.add_argument("--ptb", type=Path)
    parser.add_argument("--max-time", nargs="*")
    parser.add_argument("--seed", default="0")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if options.text is not None:
            for time in options.max_time or ["60s", "3m"]:
                found = train(
                    [str(options.text.resolve()), "--max-time", time, "--seed", options.seed], home
                )
                report(f"{options.text.name} after {time}", found)
            print(PEERS_TEXT)
        if options.ptb is not None:
            parts = {n: str(find(options.ptb, f"ptb.{n}.txt")) for n in ("train", "valid", "test")}
            for time in options.max_time or ["10m"]:
                words = [parts["train"], "--valid", parts["valid"], "--test", parts["test"]]
                words += ["--tokenizer", "whitespace", "--max-time", time, "--seed", options.seed]
                found = train(words, home)
                report(f"PTB test after {time}", found)
                valid = math.exp(found["valid"]["nats_per_token"])
                print(f"PTB valid after {time}: perplexity {valid:.2f}")
            print(PEERS_PTB)


if __name__ == "__main__":
    main()
