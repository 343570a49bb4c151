"""Fault 9 for the ids of a text: whatever fails at any call, the next run has them all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from injection import CALLS, Killed, failing

from charlm.base.errors import CorpusError
from charlm.text import pieces, token_files
from charlm.text.building import encode_text, ids_folder
from charlm.text.corpora import open_corpus
from charlm.text.measuring import measure
from charlm.text.tokenizers import train_tokenizer

TEXT = "".join(f"line {i} of the text\n" for i in range(120))
ERRORS = {
    "ENOSPC": OSError(errno.ENOSPC, "No space left on device"),
    "EIO": OSError(errno.EIO, "Input/output error"),
    "EINTR": InterruptedError(errno.EINTR, "Interrupted system call"),
    "SIGKILL": Killed(),
}
ALL_CALLS = (*CALLS, "pread", "lseek", "utime", "scandir")
HERE = Path(__file__).parent


def last(work):
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def small_pieces(patch):
    patch.setattr(pieces, "PIECE_CHARS", 200)
    patch.setattr(token_files, "_JOURNAL_PIECES", 3)


def encoded():
    """Return the ids of `text.txt` through a file, as a text too large for memory gets them."""
    text = last(measure(open_corpus(["text.txt"]), keep=0))
    return last(encode_text(text, 0, text.chars, train_tokenizer("char", [TEXT]))).ids.tolist()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_pieces(monkeypatch)
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


@pytest.mark.parametrize("forever", [False, True])
@pytest.mark.parametrize("error", ERRORS)
def test_fault_09_ids_are_whole_whatever_call_fails(folder, monkeypatch, error, forever):
    expected = train_tokenizer("char", [TEXT]).encode(TEXT).tolist()
    at, fired = 0, True
    while fired:
        monkeypatch.setenv("CHARLM_HOME", str(folder / str(at)))
        fired = fails_well(monkeypatch, at, error, expected, forever=forever)
        assert encoded() == expected
        fails_well(monkeypatch, at, error, expected, forever=forever)  # while it is there
        assert encoded() == expected
        assert [path.suffix for path in ids_folder().iterdir()] == [".ids"]
        at += 1
    assert at > 40


def fails_well(patch, at, error, expected, *, forever):
    """Encode with a failure at one call; return whether there was one."""
    told = ""
    with failing(patch, at, lambda: ERRORS[error], forever=forever, calls=ALL_CALLS) as clock:
        try:
            assert encoded() == expected
        except CorpusError as caught:
            told = str(caught)
        except Killed:
            pass
    words = "disk full while writing" if error == "ENOSPC" else "cannot write"
    said = (f"{words} the ids of the text to ", "the ids of the text do not stay in ")
    assert not told or told.startswith(said)
    return clock.fired


DIE = """
import hashlib, json, os, sys
sys.path[:0] = json.loads(sys.argv[1])
import numpy as np
from server import die_at
import test_token_files as test
test.small_pieces(type("patch", (), {"setattr": staticmethod(setattr)}))
at, died = 0, 1
while died:
    os.environ["CHARLM_HOME"] = str(at)
    pid = os.fork()
    if not pid:
        die_at("any", at)
        test.encoded()
        os._exit(0)
    died = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    ids = hashlib.sha256(json.dumps(test.encoded()).encode()).hexdigest()
    print(json.dumps([died, ids]))
    at += 1
"""


def test_fault_09_ids_are_whole_after_kill_9_at_any_call(folder):
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    expected = train_tokenizer("char", [TEXT]).encode(TEXT).tolist()
    digest = hashlib.sha256(json.dumps(expected).encode()).hexdigest()
    paths = json.dumps([str(HERE), str(HERE.parent.parent), *filter(None, sys.path)])
    done = subprocess.run([sys.executable, "-c", DIE, paths], capture_output=True, check=True)
    deaths = [json.loads(line) for line in done.stdout.splitlines()]
    assert deaths == [[-9, digest]] * (len(deaths) - 1) + [[0, digest]]
    assert len(deaths) > 20
