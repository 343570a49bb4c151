"""Programs that train word vectors on a text, this one and others, each run and watched.

All get the same settings: skip-gram with 5 negatives, 100 numbers, windows of 5, subsampling from
a frequency of 1e-3, words seen 5 times or more, a rate of 0.025.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from large_text import family, resident

GENSIM = """
import json, sys, time
from gensim.models import Word2Vec
from gensim.models.word2vec import Text8Corpus
text, out, epochs, threads, seed = sys.argv[1:]
settings = dict(vector_size=100, window=5, negative=5, sample=1e-3, min_count=5, sg=1, hs=0,
                alpha=0.025, min_alpha=0.025e-4, workers=int(threads), seed=int(seed))
model = Word2Vec(**settings)
source = dict(corpus_iterable=Text8Corpus(text, max_sentence_length=10_000))
model.build_vocab(**source)
begun = time.perf_counter()
model.train(total_examples=model.corpus_count, total_words=model.corpus_total_words,
            epochs=int(epochs), **source)
seconds = time.perf_counter() - begun
model.wv.save_word2vec_format(out, binary=True)
print(json.dumps({"seconds": seconds}))
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be trained: a text, the epochs, threads and seed, and where to put the vectors.

    `words` is how many words of the text are frequent enough.
    """

    text: Path
    words: int
    epochs: int
    threads: int
    seed: int
    folder: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """What a program did: the speed of training alone, the whole command, the vectors."""

    words_per_second: float
    seconds: float
    megabytes: float
    vectors: str


class _Watch(threading.Thread):
    """Looks at the memory of a process and its children, ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.most, self.done = pid, 0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.1):
            try:
                now = sum(resident(one, "Pss") for one in family(self.pid))
            except OSError:
                continue
            self.most = max(self.most, now)


def _lines(process: subprocess.Popen[bytes]) -> Iterator[tuple[float, str]]:
    """Yield what a program writes, when it does; it ends lines by either sign."""
    assert process.stdout is not None
    held = b""
    while block := os.read(process.stdout.fileno(), 1 << 16):
        now = time.perf_counter()
        *whole, held = re.split(rb"[\r\n]", held + block)
        for line in whole:
            yield now, line.decode("utf-8", "replace").strip()
    yield time.perf_counter(), held.decode("utf-8", "replace").strip()


def watched(command: list[str], **environment: str) -> tuple[list[tuple[float, str]], float, float]:
    """Return what a command writes and when, its seconds and its most megabytes."""
    begun = time.perf_counter()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | environment,
    ) as process:
        watch = _Watch(process.pid)
        watch.start()
        told = list(_lines(process))
    watch.done.set()
    seconds = time.perf_counter() - begun
    if process.returncode:
        sys.exit("\n".join([" ".join(command), *(line for _, line in told[-5:])]))
    return told, seconds, watch.most / 1e6


def charlm(job: Job) -> Training:
    """Train with this program; it keeps no ids of earlier runs."""
    home = job.folder / f"charlm-{job.seed}"
    command = [sys.executable, "-m", "charlm", "train", "vectors", str(job.text), "-o", "v"]
    command += ["--epochs", str(job.epochs), "--threads", str(job.threads), "--overwrite"]
    command += ["--seed", str(job.seed), "--json", "-q"]
    told, seconds, megabytes = watched(command, CHARLM_HOME=str(home))
    found = next(json.loads(line) for _, line in told if line.startswith("{"))
    return Training(
        words_per_second=found["words_per_second"],
        seconds=seconds,
        megabytes=megabytes,
        vectors=str(home / "checkpoints" / "v"),
    )


def word2vec(program: str) -> Callable[[Job], Training]:
    """Return what trains with word2vec.c, which knows no seed."""

    def train(job: Job) -> Training:
        out = job.folder / f"{Path(program).name}-{job.seed}.bin"
        command = [program, "-train", str(job.text), "-output", str(out), "-binary", "1"]
        command += [
            "-cbow",
            "0",
            "-size",
            "100",
            "-window",
            "5",
            "-negative",
            "5",
            "-hs",
            "0",
            "-sample",
            "1e-3",
        ]
        command += ["-min-count", "5", "-alpha", "0.025"]
        command += ["-threads", str(job.threads), "-iter", str(job.epochs)]
        told, seconds, megabytes = watched(command)
        times = [when for when, line in told if "Alpha:" in line]
        return Training(
            words_per_second=job.words * job.epochs / (times[-1] - times[0]),
            seconds=seconds,
            megabytes=megabytes,
            vectors=str(out),
        )

    return train


def gensim(python: str) -> Callable[[Job], Training]:
    """Return what trains with gensim under another Python; its corpus_file cuts a long line off."""

    def train(job: Job) -> Training:
        out = job.folder / f"gensim-{job.seed}.bin"
        command = [python, "-c", GENSIM, str(job.text), str(out), str(job.epochs)]
        command += [str(job.threads), str(job.seed)]
        told, seconds, megabytes = watched(command)
        found = next(json.loads(line) for _, line in reversed(told) if line.startswith("{"))
        return Training(
            words_per_second=job.words * job.epochs / found["seconds"],
            seconds=seconds,
            megabytes=megabytes,
            vectors=str(out),
        )

    return train


def fasttext(program: str) -> Callable[[Job], Training]:
    """Return what trains with fastText, without subwords."""

    def train(job: Job) -> Training:
        out = job.folder / f"fasttext-{job.seed}"
        command = [program, "skipgram", "-input", str(job.text), "-output", str(out)]
        command += [
            "-minn",
            "0",
            "-maxn",
            "0",
            "-dim",
            "100",
            "-ws",
            "5",
            "-neg",
            "5",
            "-t",
            "1e-3",
            "-minCount",
            "5",
            "-lr",
            ".025",
        ]
        command += ["-loss", "ns", "-thread", str(job.threads), "-epoch", str(job.epochs)]
        command += ["-seed", str(job.seed)]
        told, seconds, megabytes = watched(command)
        times = [when for when, line in told if "Progress:" in line]
        return Training(
            words_per_second=job.words * job.epochs / (times[-1] - times[0]),
            seconds=seconds,
            megabytes=megabytes,
            vectors=f"{out}.vec",
        )

    return train
