"""A small text whose words fall into two groups, and a command line run in this process."""

import io
import sys

import numpy as np
import pytest

from charlm.cli.app import run
from charlm.vectors.training import WordStream

ANIMALS, FRUITS = ("cat", "dog", "cow", "hen"), ("fig", "plum", "pear", "lime")


def two_topics(lines=400, seed=0):
    """Return lines in which animals stand near some words and fruits near others."""
    rng = np.random.default_rng(seed)
    written = []
    for _ in range(lines):
        names, verbs = (
            (ANIMALS, ("runs", "eats")) if rng.random() < 0.5 else (FRUITS, ("ripens", "falls"))
        )
        words = [rng.choice(names), rng.choice(verbs), "and", rng.choice(names), rng.choice(verbs)]
        written.append(" ".join(words))
    return "\n".join(written) + "\n"


def stream_of(texts, vocabulary=None):
    """Return a stream of texts of words, and the words, most frequent first."""
    words = [word for text in texts for word in text]
    counts = {word: words.count(word) for word in dict.fromkeys(words)}
    names = vocabulary or sorted(counts, key=lambda word: (-counts[word], word))
    number = {word: place for place, word in enumerate(names)}
    ids = np.array([i for text in texts for i in [*map(number.get, text), -1]], dtype=np.int32)
    stream = WordStream(
        np.array([counts[word] for word in names], dtype=np.int64),
        len(ids),
        lambda start, stop: ids[start:stop],
    )
    return stream, names


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def charlm(home, capsys, monkeypatch):
    """Run a command line; return exit status, stdout and stderr."""

    def run_line(*argv, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = run([str(word) for word in argv])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run_line


@pytest.fixture
def topics(home):
    """The path of a text on two topics."""
    path = home / "topics.txt"
    path.write_text(two_topics())
    return str(path)
