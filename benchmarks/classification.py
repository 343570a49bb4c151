"""Text classification: SST-2, MR in ten folds and AG News, beside fastText; texts a second.

    python benchmarks/classification.py DATA --home HOME --fasttext PYTHON   # all
    python benchmarks/classification.py DATA --home HOME --only sst,speed

DATA holds sst2/, mr-polarity/ and ag-news/. PYTHON is an interpreter that can import fasttext; it
gets the same rows, cut into words in the same way, and the best of eight settings by the same
held-out rows. Nothing is chosen on test rows, and nothing is learnt from other text.
"""

import argparse
import contextlib
import json
import lzma
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PEER = """
import json, sys, time, fasttext
fasttext.FastText.eprint = lambda *_: None
train, valid, tests = sys.argv[1], sys.argv[2], sys.argv[3:]
read = lambda path: [line.rstrip("\\n").split(" ", 1) for line in open(path, encoding="utf-8")]
right = lambda model, rows: sum(
    found[0] == row[0] for found, row in zip(model.predict([r[1] for r in rows])[0], rows)
) / len(rows)
best, seconds = None, 0.0
for ngrams in (1, 2):
    for rate in (0.1, 0.5):
        for epochs in (10, 25):
            begun = time.time()
            model = fasttext.train_supervised(
                train, lr=rate, epoch=epochs, wordNgrams=ngrams, dim=50, verbose=0, thread=1
            )
            spent = time.time() - begun
            found = right(model, read(valid))
            if best is None or found > best[0]:
                best, seconds = (found, model, ngrams, rate, epochs), spent
model = best[1]
rows = read(tests[0])
begun = time.time()
accuracy = right(model, rows)
speed = len(rows) / (time.time() - begun)
print(json.dumps({"test": accuracy, "valid": best[0], "settings": best[2:], "speed": speed,
                  "seconds": seconds}))
"""


def read_lines(path):
    """Return (label, text) of `label text` lines."""
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [tuple(line.strip().split(" ", 1)) for line in file]


def write_lines(path, rows):
    path.write_text("".join(f"{label} {text}\n" for label, text in rows), encoding="utf-8")


def train(files, valid, test, seed, options):
    """Train through the command line, and return its JSON line."""
    line = [sys.executable, "-m", "charlm", "train", "classifier", *map(str, files)]
    if valid is not None:
        line += ["--valid", str(valid)]
    line += ["--test", str(test), "-o", "bench", "--overwrite", "--json", "-q"]
    line += ["--seed", str(seed), *options]
    return json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)


def peer(python, folder, train_rows, valid_rows, test_rows):
    """Return what fastText makes of the same rows."""
    from charlm.classifying.words import split_words

    if python is None:
        return None
    names = []
    for name, rows in (("train", train_rows), ("valid", valid_rows), ("test", test_rows)):
        names.append(folder / f"{name}.ft")
        lines = (f"__label__{label} {' '.join(split_words(text))}\n" for label, text in rows)
        names[-1].write_text("".join(lines), encoding="utf-8")
    command = [python, "-c", PEER, *map(str, names)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def told(name, found, other):
    line = f"{name}: {found['test']['accuracy']:.2%} of {found['test']['texts']:,} test texts"
    line += f", valid {found['valid']['accuracy']:.2%}, {found['epochs']:.0f} epochs in "
    line += f"{found['duration_seconds']:.0f} s"
    if other is not None:
        line += f"; fastText {other['test']:.2%} {other['settings']}, {other['speed']:,.0f} texts/s"
    print(line, flush=True)


def sst(arguments, folder):
    """The sentences of SST-2, standard parts."""
    parts = [
        read_lines(arguments.data / "sst2" / f"stsa.binary.{part}.txt")
        for part in ("train", "dev", "test")
    ]
    for name, rows in zip(("train", "dev", "test"), parts, strict=True):
        write_lines(folder / f"{name}.txt", rows)
    other = peer(arguments.fasttext, folder, *parts)
    found = []
    for seed in range(arguments.seeds):
        files = (folder / f"{name}.txt" for name in ("train", "dev", "test"))
        first, valid, test = files
        found.append(train([first], valid, test, seed, arguments.options))
        told(f"SST-2, seed {seed}", found[-1], other)
    mean = np.mean([one["test"]["accuracy"] for one in found])
    print(f"SST-2, mean of {len(found)} seeds: {mean:.2%}", flush=True)


def mr(arguments, folder):
    """Ten folds; of the other nine, a tenth is held out to choose by."""
    rows = read_lines(arguments.data / "mr-polarity" / "rt-polarity.all.txt.xz")
    random.Random(0).shuffle(rows)
    found, others = [], []
    for fold in range(arguments.folds):
        test = rows[fold::10]
        rest = [row for place, row in enumerate(rows) if place % 10 != fold]
        cut = len(rest) // 10
        parts = rest[cut:], rest[:cut], test
        names = [folder / f"mr-{part}.txt" for part in ("train", "dev", "test")]
        for name, part in zip(names, parts, strict=True):
            write_lines(name, part)
        other = peer(arguments.fasttext, folder, *parts)
        found.append(train([names[0]], names[1], names[2], fold, arguments.options))
        others.append(other["test"] if other else float("nan"))
        told(f"MR, fold {fold + 1}", found[-1], other)
    mean = np.mean([one["test"]["accuracy"] for one in found])
    print(f"MR, mean of {len(found)} folds: {mean:.2%}; fastText {np.mean(others):.2%}", flush=True)


def ag(arguments, folder):
    """The 13,742 training rows at hand, a tenth held out, and the official test."""
    from charlm.tasks.labelled import hold_out, read_labelled
    from charlm.tasks.train_classifier_config import ClassifierTrainConfig

    place = arguments.data / "ag-news"
    config = ClassifierTrainConfig()
    names = [place / "train_subset.csv.xz", place / "train_subset_desc.csv.xz"]
    kept, held = hold_out(read_labelled([str(name) for name in names], config), 0.1, 0)
    test = read_labelled([str(place / "test.csv.xz")], config)
    parts = [list(zip(part.labels, part.texts, strict=True)) for part in (kept, held, test)]
    files = [folder / f"ag-{part}.txt" for part in ("train", "dev", "test")]
    for name, part in zip(files, parts, strict=True):
        write_lines(name, part)
    other = peer(arguments.fasttext, folder, *parts)
    for seed in range(arguments.seeds):
        found = train([files[0]], files[1], files[2], seed, arguments.options)
        told(f"AG News, seed {seed}", found, other)


def speed(arguments, folder):
    """Texts a second of the model trained last, a test set over and over, without torch."""
    from charlm.tasks.classify import classify, open_classifier

    opened = open_classifier("bench")
    rows = read_lines(arguments.data / "sst2" / "stsa.binary.test.txt")
    texts = [text for _, text in rows] * 5
    list(classify(opened, texts[:1000]))
    begun = time.perf_counter()
    list(classify(opened, texts))
    taken = time.perf_counter() - begun
    print(f"{len(texts) / taken:,.0f} texts a second (SST-2), torch: {'torch' in sys.modules}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--fasttext", metavar="PYTHON")
    parser.add_argument("--only", default="sst,speed,ag,mr")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--options", default="", help="further options of train classifier")
    arguments = parser.parse_args()
    arguments.options = arguments.options.split()
    if arguments.home is not None:
        os.environ["CHARLM_HOME"] = str(arguments.home)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in arguments.only.split(","):
            {"sst": sst, "mr": mr, "ag": ag, "speed": speed}[name](arguments, folder)


if __name__ == "__main__":
    main()
