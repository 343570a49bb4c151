"""A command line run in this process."""

import io
import sys

import pytest

from charlm.cli.app import run


@pytest.fixture
def charlm(capsys, monkeypatch):
    """Run a command line; return exit status, stdout and stderr."""

    def run_line(*argv, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = run([str(word) for word in argv])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run_line
