"""Minimal pairs and perplexity on unseen text, of models of one text, beside KenLM's 5-gram.

    python benchmarks/pairs.py TRAIN PAIRS --home HOME [--max-time 10m] [--tokenizer word]

TRAIN is a text: its last twentieth is the test text, the twentieth before that validates. PAIRS is
a file that `charlm evaluate --pairs` reads, as BLiMP's JSON lines. Models `pairs-lstm` and
`pairs-ngram` that lie in HOME/checkpoints are taken as they are; those that are missing are trained
there, the recurrent one for --max-time. Compared are the two, both interpolated (weight fitted on
the validating text), and, where lmplz and query are on the PATH, KenLM's 5-gram of the same tokens.
Every model has the same vocabulary, reads a pair's sentences as lines of their own, and counts line
ends; unknown words are one token, and with their spelling are priced alike for all.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import peer_kenlm

from charlm.tasks.load import open_model
from charlm.tasks.pairs import read_pairs
from charlm.text.corpora import open_corpus, split_tail

RECURRENT, NGRAM, KENLM = "pairs-lstm", "pairs-ngram", "KenLM 5-gram"


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


def write_parts(text: str, folder: Path) -> dict[str, str]:
    """Write a text's three parts to files, and return their paths."""
    most, test = split_tail(text, 0.05, exact=False)
    train, valid = split_tail(most, 0.05, exact=False)
    paths = {}
    for name, part in (("train", train), ("valid", valid), ("test", test)):
        path = folder / f"{name}.txt"
        path.write_text(part, encoding="utf-8")
        paths[name] = str(path)
    return paths


def train_missing(home: Path, parts: dict[str, str], max_time: str, tokenizer: str) -> None:
    """Train the models that are not in `home`."""
    kinds = {RECURRENT: ("lm", "--max-time", max_time, "--seed", "0"), NGRAM: ("ngram",)}
    for name, (kind, *options) in kinds.items():
        if (home / "checkpoints" / name).is_dir():
            print(f"{name}: taken from {home}")
            continue
        line = ["train", kind, parts["train"], "--valid", parts["valid"], "--name", name, "-q"]
        charlm(home, *line, "--tokenizer", tokenizer, *options)


def measure(home: Path, parts: dict[str, str], pairs: str) -> Iterator[tuple[str, dict, dict]]:
    """Yield the name of each model, its figures on the test text, and on the pairs."""
    for names in ([RECURRENT], [NGRAM], [RECURRENT, NGRAM]):
        which = [word for name in names for word in ("-m", name)]
        fit = ["--fit-mix", parts["valid"]] if len(names) > 1 else []
        found = charlm(home, "evaluate", parts["test"], *which, *fit, "--char-backoff")
        mix = ["--mix", found["model"].split()[0] + "," + found["model"].split()[3]] if fit else []
        right = charlm(home, "evaluate", "--pairs", pairs, "--line-end", *which, *mix)
        yield " + ".join(names), found, right


def as_tokens(folder: Path, text: str) -> list[str]:
    """Return lines of token numbers, so that KenLM sees the same tokens; UNK for unknown ones."""
    tokenizer = open_model(str(folder)).tokenizer
    rows = (tokenizer.encode(line).tolist() for line in text.removesuffix("\n").split("\n"))
    return [" ".join("UNK" if i == tokenizer.unk_id else f"t{i}" for i in row) for row in rows]


def kenlm(
    model: Path, parts: dict[str, str], pairs_file: str, beside: dict
) -> tuple[str, dict, dict]:
    """Return KenLM's figures in the form of `measure`; `beside` are the n-gram model's."""
    texts = {name: Path(path).read_text(encoding="utf-8") for name, path in parts.items()}
    with tempfile.TemporaryDirectory() as folder:
        lines = as_tokens(model, texts["train"])
        peer = peer_kenlm.KenLM("".join(f"{line}\n" for line in lines), 5, Path(folder))
        nats = math.fsum(peer.nats(as_tokens(model, texts["test"])))
        pairs = list(read_pairs(open_corpus([pairs_file]).read(), pairs_file))
        text = "\n".join(sentence for pair in pairs for sentence in (pair.good, pair.bad))
        totals = peer.nats(as_tokens(model, text))
    counts: dict[str, list[int]] = {}
    for pair, good, bad in zip(pairs, totals[::2], totals[1::2], strict=True):
        count = counts.setdefault(pair.paradigm, [0, 0])
        count[0] += 1
        count[1] += good < bad
    tokens, chars = beside["tokens"], beside["chars"]
    spelling = beside["with_spelling"]["bits_per_char"] - beside["bits_per_char"]
    bits = nats / math.log(2.0) / chars
    found = {
        "tokens": tokens,
        "chars": chars,
        "nats_per_token": nats / tokens,
        "perplexity": math.exp(nats / tokens),
        "bits_per_char": bits,
        "with_spelling": {"bits_per_char": bits + spelling},
        "unknown_rate": beside["unknown_rate"],
    }
    paradigms = [{"paradigm": name, "accuracy": c[1] / c[0]} for name, c in sorted(counts.items())]
    accuracy = sum(c[1] for c in counts.values()) / len(pairs)
    return KENLM, found, {"accuracy": accuracy, "pairs": len(pairs), "paradigms": paradigms}


def show(results: Sequence[tuple[str, dict, dict]], words: int) -> None:
    """Print the share of pairs by paradigm, and the figures on the test text."""
    titles = [name for name, _, _ in results]
    widths = [max(len(title), 8) for title in titles]
    print("  ".join(f"{title:>{w}}" for title, w in zip(titles, widths, strict=True)), " pairs")
    rows = [[one["accuracy"] for one in pairs["paradigms"]] for _, _, pairs in results]
    names = [one["paradigm"] for one in results[0][2]["paradigms"]]
    everything = [pairs["accuracy"] for _, _, pairs in results]
    for name, values in [*zip(names, zip(*rows, strict=True), strict=True), ("all", everything)]:
        print("  ".join(f"{v:{w}.1%}" for v, w in zip(values, widths, strict=True)), "", name)
    first = results[0][1]
    print(
        f"\ntest text: {first['tokens']:,} tokens, {words:,} words, {first['chars']:,} characters, "
        f"{first['unknown_rate']:.2%} of the tokens unknown\n"
        "perplexity a token   a word  a character   bits a character   with spelling"
    )
    for name, found, _ in results:
        nats = found["nats_per_token"] * found["tokens"]
        print(
            f"{found['perplexity']:18.2f} {math.exp(nats / words):8.2f} "
            f"{math.exp(nats / found['chars']):12.4f} {found['bits_per_char']:18.4f} "
            f"{found['with_spelling']['bits_per_char']:15.4f}   {name}"
        )


def main() -> None:
    """Compare the models, those that are missing trained first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("pairs")
    parser.add_argument("--max-time", default="10m")
    parser.add_argument("--tokenizer", default="word")
    parser.add_argument("--home", type=Path, required=True)
    options = parser.parse_args()
    home = options.home.resolve()
    with tempfile.TemporaryDirectory() as folder:
        parts = write_parts(open_corpus([options.train]).read(), Path(folder))
        train_missing(home, parts, options.max_time, options.tokenizer)
        results = list(measure(home, parts, options.pairs))
        if peer_kenlm.is_here():
            model = home / "checkpoints" / NGRAM
            results.append(kenlm(model, parts, options.pairs, results[1][1]))
        else:
            print(peer_kenlm.MISSING)
        show(results, len(Path(parts["test"]).read_text(encoding="utf-8").split()))


if __name__ == "__main__":
    main()
