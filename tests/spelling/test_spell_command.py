"""`charlm train speller` and `charlm spell`, from the command line."""

import json

import pytest

from charlm.cli.app import run
from tests.cli.conftest import charlm as charlm
from tests.spelling.making import SENTENCES, save_made


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    save_made(tmp_path / "checkpoints" / "made")
    return tmp_path


def test_lines_come_out_one_for_one_with_their_line_ends(home, capfdbinary, monkeypatch):
    import io
    import sys

    text = b"Teh garden.\r\n\n  teh\tdgo \xff\xfe\nover teh"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert run(["spell", "-m", "made"]) == 0
    out, _ = capfdbinary.readouterr()
    assert out == b"The garden.\r\n\n  the\tdog \xff\xfe\nover the"


def test_json_has_offsets_candidates_and_scores(charlm, home):
    status, out, _ = charlm("spell", "-m", "made", "--json", "--candidates", "2", "fifteen minuets")
    record = json.loads(out)
    assert status == 0
    assert record["text"] == "fifteen minuets"
    assert record["corrected"] == "fifteen minutes"
    (change,) = record["changes"]
    assert (change["start"], change["end"], change["from"], change["to"]) == (
        8, 15, "minuets", "minutes",
    )  # fmt: skip
    assert len(change["candidates"]) <= 2
    assert set(change["candidates"][0]) == {"text", "score"}


def test_show_marks_changes(charlm, home):
    _, out, _ = charlm("spell", "-m", "made", "--show", "teh garden")
    assert out == "[-teh-]{+the+} garden\n"


def test_explain_tells_what_speaks_for_what(charlm, home):
    _, out, _ = charlm("spell", "-m", "made", "--explain", "over teh lazy dog")
    assert "teh, not in the vocabulary, becomes 'the'" in out
    assert "★ the" in out


def test_a_words_file_may_have_empty_lines_and_remarks(charlm, home):
    (home / "words.txt").write_text("\n\nteh # mine\n\n")
    assert charlm("spell", "-m", "made", "--words", home / "words.txt", "teh dgo")[1] == "teh dog\n"
    (home / "none.txt").write_text("")
    assert charlm("spell", "-m", "made", "--ignore", home / "none.txt", "teh")[1] == "the\n"


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["--confidence", "1", "x"], 2, "--confidence must be less than 1, got 1.0"),
        (["--show", "--json", "x"], 2, "exclude each other"),
        (["--words", "missing.txt", "x"], 1, "cannot read missing.txt: No such file or directory"),
        (["x", "-"], 2, "give texts or - for standard input, not both"),
    ],
)
def test_mistakes_are_told_in_a_line(charlm, home, argv, status, message):
    found, out, err = charlm("spell", "-m", "made", *argv)
    assert (found, out) == (status, "")
    assert message in err


def test_without_a_speller_the_remedy_is_told(charlm, tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    status, out, err = charlm("spell", "teh")
    assert (status, out) == (1, "")
    assert err == (
        "charlm: no speller yet; charlm train speller TEXT… makes one of your own text, "
        "charlm train speller of the built-in one\n"
    )


def test_training_makes_a_speller_and_says_that_more_text_is_better(charlm, home):
    (home / "text.txt").write_text(SENTENCES * 20)
    status, out, err = charlm("train", "speller", home / "text.txt", "-o", "own")
    assert status == 0
    assert "try: charlm spell -m own" in out
    assert "words are few; a speller gets better with more text" in err
    assert charlm("spell", "-m", "own", "over teh lazy dog")[1] == "over the lazy dog\n"


def test_a_list_of_misspellings_is_learnt(charlm, home):
    (home / "text.txt").write_text(SENTENCES * 20)
    (home / "typos.tsv").write_text("garden\tgzrden\nlazy\tlzzy\n\n# a remark\n" * 3)
    argv = ("train", "speller", home / "text.txt", "-o", "own", "--errors", home / "typos.tsv")
    assert charlm(*argv)[0] == 0
    (home / "typos.tsv").write_text("garden\n")
    status, _, err = charlm(*argv, "--overwrite")
    assert status == 1
    assert "typos.tsv, line 1: expected a word TAB its misspelling, got 'garden'" in err


def test_too_little_text_is_refused(charlm, home):
    (home / "text.txt").write_text("Few words.\n")
    status, _, err = charlm("train", "speller", home / "text.txt")
    assert status == 1
    assert "text.txt: 3 words, need at least 200" in err
