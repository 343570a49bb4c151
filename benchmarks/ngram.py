"""How well and how fast an n-gram model predicts PTB: `charlm train ngram` beside KenLM.

    python benchmarks/ngram.py FOLDER [--order 5 3]

The folder holds ptb.train.txt, ptb.valid.txt and ptb.test.txt (tokenised, 10,000 words), plain,
.gz or .xz. `<unk>` is scored as the word that it is in this text, and every line end as a token:
82,430 tokens of test. KenLM is run beside it where lmplz and query are on the PATH; its published
figures are those of lmplz without pruning, `<unk>` renamed to a plain word.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peer_kenlm

from charlm.tasks.load import open_model
from charlm.text.corpora import open_corpus

KENLM = {5: 141.19, 3: 148.3}
REPEATS = 5


def find_part(folder: Path, part: str) -> str:
    """Return the path of a part of PTB, compressed or not."""
    for suffix in ("", ".xz", ".gz"):
        path = folder / f"ptb.{part}.txt{suffix}"
        if path.is_file():
            return str(path.resolve())
    raise SystemExit(f"no ptb.{part}.txt in {folder}")


def train(parts: dict[str, str], order: int, home: Path) -> tuple[dict, float]:
    """Return the result of `charlm train ngram --json`, and the seconds from shell to shell."""
    command = [sys.executable, "-m", "charlm", "train", "ngram", parts["train"], "-q", "--json"]
    command += ["--valid", parts["valid"], "--test", parts["test"], "--tokenizer", "whitespace"]
    command += ["--order", str(order), "--name", f"ptb-{order}"]
    begun = time.monotonic()
    done = subprocess.run(
        command,
        env=os.environ | {"CHARLM_HOME": str(home)},
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    return json.loads(done.stdout.splitlines()[-1]), time.monotonic() - begun


def scoring_speed(folder: Path, test: str) -> float:
    """Return tokens a second of scoring the whole test text, the median of some runs."""
    opened = open_model(str(folder))
    ids = opened.tokenizer.encode(open_corpus([test]).read())
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        opened.model.score_ids(ids)
        times.append(time.perf_counter() - begun)
    return len(ids) / sorted(times)[REPEATS // 2]


def kenlm(parts: dict[str, str], order: int, folder: Path) -> str:
    """Return what KenLM says of the same text, or its published figure."""
    if not peer_kenlm.is_here():
        return f"KenLM {KENLM[order]} (published figure)" if order in KENLM else "KenLM not here"
    train, test = (open_corpus([parts[part]]).read() for part in ("train", "test"))
    peer = peer_kenlm.KenLM(train.replace("<unk>", "UNK"), order, folder)
    lines = test.replace("<unk>", "UNK").removesuffix("\n").split("\n")
    tokens = sum(len(line.split()) + 1 for line in lines)
    perplexity = math.exp(math.fsum(peer.nats(lines)) / tokens)
    return f"KenLM {perplexity:.2f}, lmplz {peer.seconds:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--order", type=int, nargs="*", default=[5, 3])
    options = parser.parse_args()
    parts = {part: find_part(options.folder, part) for part in ("train", "valid", "test")}
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        for order in options.order:
            found, seconds = train(parts, order, home)
            if order == options.order[0]:  # before lmplz, which takes most of the memory, has run
                memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            test, valid = found["test"], found["valid"]
            speed = scoring_speed(home / "checkpoints" / found["name"], parts["test"])
            print(
                f"PTB order {order}: test perplexity {test['perplexity']:.2f} over "
                f"{test['tokens']:,} tokens (valid {math.exp(valid['nats_per_token']):.2f}); "
                f"{kenlm(parts, order, home)}"
            )
            print(
                f"    counted and smoothed in {found['duration_seconds']:.2f} s, {seconds:.1f} s "
                f"from shell to shell with reading, measuring and saving; "
                f"{found['parameters']:,} parameters; scored at {speed:,.0f} tokens a second"
            )
    print(f"    {memory / 1024:,.0f} MiB of memory while training order {options.order[0]}")


if __name__ == "__main__":
    main()
