"""A session over a tiny model, its lines from a pipe."""

import io
import sys

import pytest

from charlm.cli.app import run
from charlm.repl.loop import REGISTERED  # with it all commands are known
from charlm.repl.session import Session

assert REGISTERED


@pytest.fixture
def user(home, monkeypatch):
    """A home, with folders for settings and history beside it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    return home


@pytest.fixture
def told(user, tiny, capsys, monkeypatch):
    """Run a session with lines; return exit status, stdout and stderr."""

    def run_lines(*lines, options=("-m", "tiny")):
        data = "".join(f"{line}\n" for line in lines).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        status = run(["repl", *options])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run_lines


@pytest.fixture
def session(user, tiny):
    """A session whose model is open."""
    session = Session("tiny")
    session.opened()
    return session
