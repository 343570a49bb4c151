"""Faults 52, 53 and 66: word vectors, ours and other programs', through the command line.

Every form and every fault of a file is in tests/vectors/test_vectors_formats.py.
"""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from charlm.cli.app import run

KNOWN = "4 2\nking 1 0\nqueen 1 1\nwoman 0 1\nnought 0 0\n"
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def ask(home, capsys):
    (home / "v.txt").write_text(KNOWN)

    def run_line(*argv):
        status = run([str(word) for word in argv])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run_line


def test_fault_52_an_unknown_word_is_an_error_with_near_spellings(ask):
    said = "charlm: no vector for 'kinng' (did you mean 'king'?)\n"
    assert ask("neighbors", "kinng", "-m", "v.txt") == (1, "", said)
    assert ask("analogy", "queen", "woman", "kinng", "-m", "v.txt") == (1, "", said)


def test_fault_53_a_zero_vector_is_no_division_by_zero(ask):
    said = "charlm: the vector of 'nought' is zero, and has no neighbours\n"
    assert ask("neighbors", "nought", "-m", "v.txt") == (1, "", said)
    status, out, err = ask("neighbors", "queen", "-m", "v.txt", "--json")
    assert (status, err) == (0, "")
    assert "NaN" not in out
    assert '"word": "nought", "similarity": 0.0' in out


ROW = struct.pack("<2f", 1.0, 2.0)
# what gensim took without a word, then what ended in a traceback there
FILES = {
    "fewer rows than promised": (
        b"3 2\na 1 2\nb 3 4\n",
        "the header promises 3 rows, but the file ends after row 2; it was cut off",
    ),
    "NaN": (b"2 2\na 1 2\nb nan 4\n", "row 2: 'b' has a number that is not finite"),
    "4,000,000,000 rows": (
        b"4000000000 300\na 1 2\n",
        "the header promises 4,000,000,000 rows of 300 numbers, which take 2,404,000,000,000 bytes "
        "or more; the file has 21",
    ),
    "a negative number of rows": (
        b"-5 100\na 1\n",
        "the header promises -5 rows of 100 numbers; expected at least one",
    ),
    "a wrong length": (b"2 3\na 1 2 3\nb 4 5\n", "row 2: 2 numbers, expected 3"),
    "cut in a row": (
        b"2 2\na " + ROW + b"\nb " + ROW[:5],
        "the header promises 2 rows, but the file ends in row 2; it was cut off",
    ),
    "an endless line": (
        b"9" * (5 << 20),
        "not a file of word vectors: its first line has no end",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_fault_66_a_file_of_vectors_that_lies_is_refused_in_one_line(ask, home, name):
    data, message = FILES[name]
    (home / "w.bin").write_bytes(data)
    assert ask("neighbors", "a", "-m", "w.bin") == (1, "", f"charlm: w.bin: {message}\n")


def test_fault_66_a_word_that_occurs_twice_is_a_warning(ask, home):
    (home / "w.txt").write_text("3 2\na 1 2\nb 2 1\na 5 6\n")
    status, out, err = ask("neighbors", "a", "-m", "w.txt", "--json")
    assert status == 0
    assert len(out.splitlines()) == 1
    assert "w.txt: 'a' occurs twice; the first is kept (1 such rows)" in err


def test_fault_66_a_promise_of_many_rows_allocates_nothing(home):
    """512 MB of addresses are enough, and a second is, to refuse what would take a terabyte."""
    if sys.platform != "linux":
        pytest.skip("this system does not bound a process's addresses")
    (home / "w.bin").write_bytes(b"100000000 2500\na " + ROW * 2_500)

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))

    done = subprocess.run(
        [sys.executable, "-m", "charlm", "neighbors", "a", "-m", "w.bin"],
        env={"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "CHARLM_HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("charlm: w.bin: the header promises 100,000,000 rows of 2,500")
    assert len(done.stderr.splitlines()) == 1
