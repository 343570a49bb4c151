"""Word vectors: speed, memory and quality beside word2vec.c, gensim and fastText, in one run.

    python benchmarks/vectors.py TEXT --word2vec PROGRAM… --gensim PYTHON --fasttext PROGRAM \\
        [--megabytes 100] [--epochs 3] [--seeds 3] [--threads 2] [--questions FILE…]
    python benchmarks/vectors.py --shell

TEXT is plain, in lower case without punctuation, as text8 is. `--gensim` names a Python that has
gensim, `--word2vec` programs built from word2vec.c (one a set of compiler's flags). Words a second
are of training alone, gensim's and the C programs' with the reading of the text inside; seconds
and memory are of the whole command, from the file to saved vectors. Each result is judged by the
same `charlm vectors evaluate` on the files of questions: analogies by 3CosAdd among the 30,000
most frequent words, pairs by Spearman.

`--shell` times `charlm neighbors` on 100,000 words of 100 numbers, whole processes, beside a
program that imports gensim if that is named too. Linux only: memory is read from /proc.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import peer_word2vec as programs
from peer_word2vec import Job, Training

from charlm.tasks.vectors_evaluate import evaluate_vectors
from charlm.tasks.vectors_open import open_space

Program = Callable[[Job], Training]


def chosen(options: argparse.Namespace) -> dict[str, Program]:
    """Return the programs to run by name, this one first."""
    found: dict[str, Program] = {"charlm": programs.charlm}
    for path in options.word2vec:
        found[Path(path).name] = programs.word2vec(path)
    if options.gensim:
        found["gensim"] = programs.gensim(options.gensim)
    if options.fasttext:
        found["fastText"] = programs.fasttext(options.fasttext)
    return {name: found[name] for name in found if not options.only or name in options.only}


def quality(vectors: str, questions: list[str]) -> list[tuple[str, float]]:
    """Return what each file of questions says of some vectors."""
    if not questions:
        return []
    opened = open_space(vectors)
    told = []
    for file in questions:
        found = evaluate_vectors(opened, file)
        share = found.analogy_accuracy
        told.append((Path(file).stem, found.similarity_spearman if share is None else 100 * share))
    return told


def part_of(text: Path, megabytes: float, folder: Path) -> Path:
    """Return a file with the beginning of a text, to the last blank in it."""
    size = int(megabytes * 1e6)
    if text.stat().st_size <= size:
        return text
    path = folder / "text.txt"
    with text.open("rb") as whole:
        path.write_bytes(whole.read(size).rsplit(b" ", 1)[0])
    return path


def frequent_words(text: Path, min_count: int = 5) -> int:
    """Return how many words of a text are seen often enough to be trained on."""
    counts: Counter[bytes] = Counter()
    with text.open("rb") as file:
        held = b""
        while block := file.read(1 << 22):
            *whole, held = (held + block).split(b" ")
            counts.update(whole)
    counts.update([held])
    return sum(count for word, count in counts.items() if word and count >= min_count)


def compare(options: argparse.Namespace, folder: Path) -> None:
    """Train with each program, a seed after the other, and print what each did."""
    text = part_of(options.text.resolve(), options.megabytes, folder)
    words = frequent_words(text)
    what = f"{text.stat().st_size / 1e6:.0f} MB, {options.epochs} epochs, {options.threads} threads"
    print(what, flush=True)
    all_told: dict[str, list[list[float]]] = {}
    for seed in range(1, options.seeds + 1):
        for name, train in chosen(options).items():
            job = Job(
                text=text,
                words=words,
                epochs=options.epochs,
                threads=options.threads,
                seed=seed,
                folder=folder,
            )
            done = train(job)
            judged = quality(done.vectors, options.questions)
            figures = [done.words_per_second, done.seconds, done.megabytes]
            all_told.setdefault(name, []).append([*figures, *(value for _, value in judged)])
            show(f"{name}, seed {seed}", all_told[name][-1], [file for file, _ in judged])
    if options.seeds > 1:
        for name, rows in all_told.items():
            show(f"{name}, mean", np.mean(rows, axis=0).tolist(), [file for file, _ in judged])


def show(name: str, figures: list[float], files: list[str]) -> None:
    """Print a line."""
    speed, seconds, megabytes, *judged = figures
    told = "".join(f"  {file} {value:.4g}" for file, value in zip(files, judged, strict=True))
    print(
        f"{name:22}{speed:12,.0f} words/s  {seconds:6.1f} s  {megabytes:5.0f} MB{told}", flush=True
    )


def shell(options: argparse.Namespace, folder: Path) -> None:
    """Print how long a question takes from the shell; the median of whole processes."""
    from charlm.tasks.vectors_convert import convert_to_folder
    from charlm.tasks.vectors_open import OpenSpace
    from charlm.vectors.space import Space
    from charlm.vectors.words import Words

    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(100_000, 100)).astype(np.float32)
    words = Words.of(f"word{number}" for number in range(100_000))
    name = str(folder / "checkpoints" / "v")
    os.environ["CHARLM_HOME"] = str(folder)
    convert_to_folder(OpenSpace(name="random", space=Space(words, matrix)), "v")
    commands = {
        "charlm neighbors": [sys.executable, "-m", "charlm", "neighbors", "word777", "-m", name],
        "charlm analogy": [
            *(sys.executable, "-m", "charlm", "analogy", "word1", "word2", "word3"),
            *("-m", name),
        ],
    }
    if options.gensim:
        commands["import gensim alone"] = [options.gensim, "-c", "import gensim"]
    for label, command in commands.items():
        times = []
        for _ in range(options.repeats + 1):
            begun = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
            times.append(time.perf_counter() - begun)
        aim = " (bar 250 ms)" if label == "charlm neighbors" else ""
        print(f"{label}, 100,000 x 100: {1e3 * statistics.median(times[1:]):.0f} ms{aim}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, nargs="?")
    parser.add_argument("--word2vec", nargs="*", default=[], metavar="PROGRAM")
    parser.add_argument("--gensim", metavar="PYTHON")
    parser.add_argument("--fasttext", metavar="PROGRAM")
    parser.add_argument("--only", nargs="*", default=[], help="of these programs")
    parser.add_argument("--questions", nargs="*", default=[], metavar="FILE")
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shell", action="store_true")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--folder", help="where there is room; else that of temporary files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        if options.shell:
            shell(options, Path(temporary))
        if options.text:
            compare(options, Path(temporary))


if __name__ == "__main__":
    main()
