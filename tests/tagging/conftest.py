"""A small annotated text that a tagger learns in a second or two."""

import io
import itertools
import sys

import pytest

from charlm.cli.app import run

SUBJECTS = (("I", "PRON"), ("you", "PRON"), ("Anna", "PROPN"), ("Paris", "PROPN"))
VERBS = (("like", "VERB"), ("saw", "VERB"), ("eats", "VERB"))
OBJECTS = (("apples", "NOUN"), ("cars", "NOUN"), ("books", "NOUN"))


def sentences():
    """Return all sentences of three words and a full stop."""
    return [[*words, (".", "PUNCT")] for words in itertools.product(SUBJECTS, VERBS, OBJECTS)]


def columns(rows, separator="\t"):
    """Return sentences as lines of words and tags."""
    return "\n".join("".join(f"{separator.join(row)}\n" for row in sentence) for sentence in rows)


def conllu(rows):
    """Return sentences as CoNLL-U."""
    blocks = []
    for number, sentence in enumerate(rows, 1):
        lines = [f"# sent_id = {number}"]
        for place, (word, tag) in enumerate(sentence, 1):
            lines.append("\t".join([str(place), word, "_", tag, tag.lower(), *"_" * 5]))
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, which is also the current folder, with annotated files."""
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.tsv").write_text(columns(sentences()))
    (tmp_path / "train.conllu").write_text(conllu(sentences()))
    names = [[("Anna", "B-PER"), ("Smith", "I-PER"), ("saw", "O"), ("Paris", "B-LOC")],
             [("I", "O"), ("saw", "O"), ("Anna", "B-PER"), (".", "O")]]  # fmt: skip
    (tmp_path / "names.txt").write_text(columns(names * 10, " "))
    return tmp_path


SMALL = (
    *(
        "--hidden-size",
        16,
        "--word-dim",
        8,
        "--subword-dim",
        8,
        "--min-part-count",
        1,
        "--epochs",
        12,
    ),
    *("--learning-rate", 0.02, "--dropout", 0.1, "--min-count", 1, "--batch-size", 4),
    *("--threads", 1, "--precision", "float32", "--members", 1, "-q"),
)


@pytest.fixture
def charlm(home, capsys, monkeypatch):
    """Run a command line in that home; return exit status, stdout and stderr."""

    def run_line(*argv, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = run([str(word) for word in argv])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run_line


@pytest.fixture
def train(charlm):
    """Train a small tagger; options after the file override."""

    def run_line(file, *more):
        return charlm("train", "tagger", file, *SMALL, *more)

    return run_line
