"""Minimal pairs and held-out perplexity after training on one text: charlm beside n-grams.

    python benchmarks/pairs.py TRAIN PAIRS [--max-time 10m] [--tokenizer word] [--home HOME]

TRAIN is a text, of which the last tenth is held out; PAIRS a file that `charlm evaluate --pairs`
reads, as BLiMP's JSON lines. Three models are compared: a recurrent one trained for --max-time, a
5-gram of the same tokens, and the two interpolated, the weight fitted on the held-out text. Where
lmplz and query are on the PATH, KenLM's 5-gram is trained on the same tokens and scored as well.
Sentences are scored with their line end. Models that lie in HOME/checkpoints are taken as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from charlm.tasks.load import open_model
from charlm.tasks.pairs import read_pairs
from charlm.text.corpora import open_corpus, split_tail

RECURRENT, NGRAM = "pairs-lstm", "pairs-ngram"


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


def as_tokens(folder: Path, text: str) -> str:
    """Return lines of token numbers, so that KenLM sees the same tokens; unknown ones are <unk>."""
    tokenizer = open_model(str(folder)).tokenizer
    rows = (tokenizer.encode(line).tolist() for line in text.split("\n"))
    return "".join(
        " ".join("<unk>" if i == tokenizer.unk_id else f"t{i}" for i in row) + "\n" for row in rows
    )


def kenlm_pairs(model: Path, pairs_file: str, train: str, folder: Path) -> str:
    """Return the share of pairs that KenLM's 5-gram ranks right."""
    if not (shutil.which("lmplz") and shutil.which("query")):
        return "KenLM is not here: lmplz and query are not on the PATH"
    (folder / "train.txt").write_text(as_tokens(model, train).replace("<unk>", "UNK"))
    arpa = folder / "model.arpa"
    with (folder / "train.txt").open() as source, arpa.open("wb") as target:
        subprocess.run(["lmplz", "-o", "5"], stdin=source, stdout=target, check=True)
    pairs = list(read_pairs(open_corpus([pairs_file]).read(), pairs_file))
    text = as_tokens(model, "\n".join(s for pair in pairs for s in (pair.good, pair.bad)))
    done = subprocess.run(
        ["query", "-v", "sentence", str(arpa)],
        input=text.replace("<unk>", "UNK"),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    totals = [float(row.split()[1]) for row in done.stdout.splitlines() if row[:6] == "Total:"]
    right = sum(good > bad for good, bad in zip(totals[::2], totals[1::2], strict=False))
    return f"KenLM 5-gram: {right / len(pairs):.2%} of {len(pairs):,} pairs"


def main() -> None:
    """Print accuracy, perplexity and bits per character of each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("pairs")
    parser.add_argument("--max-time", default="10m")
    parser.add_argument("--tokenizer", default="word")
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        home = (options.home or folder).resolve()
        train, valid = split_tail(open_corpus([options.train]).read(), 0.1, exact=False)
        (folder / "train.txt").write_text(train)
        (folder / "valid.txt").write_text(valid)
        text, held_out = str(folder / "train.txt"), str(folder / "valid.txt")
        kinds = {RECURRENT: ("lm", "--max-time", options.max_time), NGRAM: ("ngram",)}
        for name, (kind, *more) in kinds.items():
            if not (home / "checkpoints" / name).is_dir():
                line = ["train", kind, text, "--valid", held_out, "--name", name, "-q", *more]
                charlm(home, *line, "--tokenizer", options.tokenizer)
        for names in ([RECURRENT], [NGRAM], [RECURRENT, NGRAM]):
            which = [word for name in names for word in ("-m", name)]
            fit = ["--fit-mix", held_out] if len(names) > 1 else []
            found = charlm(home, "evaluate", held_out, *which, *fit, "--char-backoff")
            pairs = charlm(home, "evaluate", "--pairs", options.pairs, "--line-end", *which, *fit)
            print(
                f"{found['model']}: {pairs['accuracy']:.2%} of {pairs['pairs']:,} pairs; held out: "
                f"perplexity {found['perplexity']:.2f}, {found['bits_per_char']:.4f} bits a "
                f"character, {found['unknown_rate']:.2%} unknown; with their spelling "
                f"{found['with_spelling']['bits_per_char']:.4f}",
                flush=True,
            )
        print(kenlm_pairs(home / "checkpoints" / NGRAM, options.pairs, train, folder))


if __name__ == "__main__":
    main()
