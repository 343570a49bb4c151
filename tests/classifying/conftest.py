"""Labelled texts of two kinds that are easily told apart, and a command line."""

import io
import sys

import pytest

from charlm.cli.app import run

GOOD = ("good", "great", "fine", "lovely")
BAD = ("bad", "awful", "poor", "dull")
THINGS = ("film", "book", "song", "play", "show")


def labelled_lines():
    """Return 40 lines `label text`, every second one good."""
    lines = []
    for thing in THINGS:
        for good, bad in zip(GOOD, BAD, strict=True):
            lines += [f"pos a {good} {thing} .", f"neg a {bad} {thing} ."]
    return lines


@pytest.fixture
def reviews(home):
    """A file of labelled lines."""
    path = home / "reviews.txt"
    path.write_text("\n".join(labelled_lines()) + "\n")
    return path


@pytest.fixture
def charlm(capsys, monkeypatch):
    """Run a command line; return exit status, stdout and stderr."""

    def run_line(*argv, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = run([str(word) for word in argv])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run_line
