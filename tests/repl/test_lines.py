"""Sessions that a script drives."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from charlm.repl.commands import COMMANDS

ROOT = Path(__file__).parents[2]


def test_a_line_is_continued_as_by_sample(told, capsys):
    from charlm.cli.app import run

    status, out, err = told("/set max_new_tokens 30", "/seed 7", "the quick")
    assert (status, err) == (0, "")
    run(["sample", "-m", "tiny", "-n", "30", "--seed", "7", "the quick"])
    assert out.endswith("7, for every text\n" + capsys.readouterr().out)


def test_again_more_and_undo(told):
    lines = ("/set max_new_tokens 5", "/seed 1", "the", "/again", "/more", "/undo", "/more")
    status, out, err = told(*lines)
    _, first, again, more, same = out.splitlines()[1:]
    assert status == 0
    assert first[:3] == again[:3] == "the"
    assert first != again
    assert more.startswith(again)
    assert len(more) == len(again) + 5
    assert same == more
    assert err == f"back at: {' '.join(again.split())}\n"


def test_one_text_may_have_settings_of_its_own(told):
    greedy = "--temperature 0"
    lines = ("/set max_new_tokens 8", "/seed 1", "the", f"/sample {greedy} the", f"/again {greedy}")
    status, out, err = told(*lines, "/again --seed 1", f"/more {greedy}", "/set temperature")
    assert (status, err) == (0, "")
    _, _, first, likeliest, again, same, more, kept = out.splitlines()
    assert (again, same) == (likeliest, first)
    assert first != likeliest
    assert more.startswith(first)
    assert len(more) == len(first) + 8
    assert kept == "temperature  0.8"


def test_more_takes_its_text_as_it_stands_and_shows_the_last_line(told):
    lines = ("/set max_new_tokens 0", '"""the', 'quick"""', "/more  fox", "/more s", "/edit")
    status, out, err = told(*lines)
    assert (status, out) == (0, "max_new_tokens  0\nthe\nquick\nquick fox\nquick foxs\n")
    assert err == "charlm: /edit needs a terminal; /save and /load keep texts in files\n"


def test_quit_ends_it_and_the_end_of_the_lines_too(told):
    assert told("/quit", "/help") == (0, "", "")
    assert told() == (0, "", "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/more", "no text yet; type how one begins"),
        ("/heatmap", "no text yet; write one behind the command"),
        ("/sammple", "no command '/sammple' (did you mean '/sample'?); /help lists them"),
        ("/set top-p 2", "top_p must be at most 1, got 2.0"),
        ("/set top-p nan", "top_p must be a finite number, got nan"),
        ("/set temprature 2", None),
        ("/set seed x", "seed must be a whole number, got 'x'"),
        ("/seed -1", "seed must be at least 0, got -1"),
        ("/rank", "/rank needs texts in quotes, or with ' | ' between them"),
        ("/undo it", "/undo takes no text, got 'it'; /help undo"),
        ("/again it", "/again takes no text, got 'it'; /help again"),
        ("/again --top-k 3", "no text yet; type how one begins"),
        ("/again --lenght_penalty 3", None),
        ("/analogy a b", "/analogy needs three words, got 2"),
        ("/neighbors --top-n 0 a", "--top-n must be a whole number from 1 to 100000, got '0'"),
        ("/model nope", None),
        ("/save checkpoints", None),
        ("/spell teh", None),
        ("/help zzzz", "no command '/zzzz'; /help lists them"),
    ],
)
def test_an_error_is_one_line_and_the_session_goes_on(told, line, message):
    status, out, err = told(line, "/seed 5")
    assert (status, out) == (0, "5, for every text\n")
    assert err.startswith("charlm: ")
    assert err.count("\n") == 1
    assert message is None or err == f"charlm: {message}\n"


def test_every_command_answers_with_help(told):
    status, out, err = told("/help", *(f"/help {name}" for name in COMMANDS))
    assert (status, err) == (0, "")
    for one in COMMANDS.values():
        assert f"/{one.name} {one.usage}".rstrip() + f"\n  {one.help}\n" in out


def test_help_fits_a_terminal(told):
    _, out, _ = told("/help")
    assert max(map(len, out.splitlines())) <= 80


def test_queries_show_what_the_command_line_shows(told, capsys):
    from charlm.cli.app import run

    pairs = [
        ("/score the | teh", ("score", "-m", "tiny", "the", "teh")),
        ("/score --tokens the", ("score", "-m", "tiny", "--tokens", "the")),
        ("/heatmap the fox", ("score", "-m", "tiny", "--heatmap", "the fox")),
        ("/rank the | teh", ("rank", "-m", "tiny", "the", "teh")),
        ('/rank "the fox" "teh fox"', ("rank", "-m", "tiny", "the fox", "teh fox")),
        ("/neighbors --model tiny --top-n 3 t", ("neighbors", "-m", "tiny", "-n", "3", "t")),
        ("/analogy --model tiny t h e", ("analogy", "-m", "tiny", "t", "h", "e")),
        ("/plot", ("plot", "tiny")),
        ("/models", ("models",)),
    ]
    for line, argv in pairs:
        status, out, _ = told(line)
        run([*argv])
        assert (status, out) == (0, capsys.readouterr().out), line


def test_another_model_is_opened_and_a_wrong_one_leaves_it(told, tiny, save_tiny):
    save_tiny(tiny / "checkpoints" / "other", uniform=True)
    status, out, err = told("/model other", "/model none", "/model")
    assert (status, out) == (0, 2 * "other: lm, char, 31 tokens\n")
    assert err.startswith("charlm: no checkpoint 'none'")


def test_a_damaged_model_does_not_end_a_session(told, tiny, save_tiny):
    save_tiny(tiny / "checkpoints" / "broken")
    (tiny / "checkpoints" / "broken" / "config.json").write_text("{")
    status, out, err = told("the", "/score a", "/model tiny", options=("-m", "broken"))
    assert (status, out) == (0, "tiny: lm, char, 31 tokens\n")
    assert err.count("\n") == 2


def test_a_model_deleted_meanwhile_stays_open(session, tiny, capsys):
    from charlm.repl.loop import answer

    shutil.rmtree(tiny / "checkpoints" / "tiny")
    answer(session, "/score the")
    assert "the\n" in capsys.readouterr().out
    answer(session, "/model tiny")
    assert capsys.readouterr().err.startswith("charlm: no checkpoint 'tiny'")
    answer(session, "/score the")
    assert capsys.readouterr().err == ""


def test_a_wrong_name_at_the_start_is_status_1(told):
    status, out, err = told(options=("-m", "tinny"))
    assert (status, out) == (1, "")
    assert err.endswith("(did you mean 'tiny'?)\n")


def test_several_lines_stand_in_triple_quotes(told):
    status, out, _ = told("/set max_new_tokens 0", '"""the', 'fox"""', "//the")
    assert (status, out) == (0, "max_new_tokens  0\nthe\nfox\n/the\n")


def test_bytes_that_are_no_text_are_read_as_well_as_can_be(user, tiny):
    done = subprocess.run(
        [sys.executable, "-m", "charlm", "repl", "-m", "tiny"],
        input=b"/set max_new_tokens 0\n\xff\xfe\n",
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=30,
    )
    assert done.stdout == "max_new_tokens  0\n\ufffd\ufffd\n".encode()


def test_a_text_is_saved_once(told, user):
    lines = ("/set max_new_tokens 0", "the fox", "/save fox.txt", "/save fox.txt")
    _, _, err = told(*lines)
    assert (user / "fox.txt").read_text() == "the fox\n"
    assert err == "wrote fox.txt\ncharlm: fox.txt: File exists\n"


def test_a_long_session_keeps_little(session):
    from charlm.repl.session import KEPT_CHARS, Written

    for _ in range(1_000):
        session.texts.append(Written("x" * KEPT_CHARS, "y" * KEPT_CHARS))
        session.lines.append("z")
    assert len(session.texts) == 200
    assert len(session.last.whole) == KEPT_CHARS
