"""Texts in files: /save, /load, transcripts."""

import json
import stat

import pytest

from charlm.repl.loop import answer
from charlm.repl.session import KEPT_CHARS, Written


def test_a_saved_text_comes_back(told, user):
    (user / "old.txt").write_bytes("\ufeffthe\r\nfox\r\n".encode())
    lines = ("/set max_new_tokens 0", "/load old.txt", "/more", "/save new.txt", "/load new.txt")
    status, out, err = told(*lines, "/more")
    assert (status, out) == (0, "max_new_tokens  0\n" + 2 * "fox\n")
    assert (user / "new.txt").read_bytes() == b"the\nfox\n"
    told_of = "read 7 characters; /more goes on with them\n"
    assert err == f"{told_of}wrote new.txt\n{told_of}"


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_around_a_files_name_are_no_part_of_it(told, user, quote):
    asked = f"{quote}my f.txt{quote}"
    lines = ("/set max_new_tokens 0", "the", f"/save {asked}", "/undo", f"/load {asked}", "/more")
    status, out, err = told(*lines, "/load my f.txt", '/save "')
    assert (status, out) == (0, "max_new_tokens  0\nthe\nthe\n")
    assert (user / "my f.txt").read_text() == "the\n"
    told_of = "read 3 characters; /more goes on with them\n"
    assert err == f'wrote my f.txt\nback at the beginning\n{2 * told_of}wrote "\n'
    assert sorted(path.name for path in user.iterdir() if path.is_file()) == ['"', "my f.txt"]


def test_a_session_comes_back_with_its_settings(told, user):
    lines = ("/set max_new_tokens 3", "/seed 1", "the", "/more", "/save all.jsonl", "/undo")
    status, out, err = told(*lines, "/set max_new_tokens 9", "/load all.jsonl", "/seed 1", "/undo")
    last = out.splitlines()[3]
    assert (status, len(last)) == (0, len("the") + 6)
    assert err == (
        f"wrote all.jsonl: 2 texts\nback at: {last[:-3]}\n"
        f"read 2 texts and the settings of the last\nback at: {last[:-3]}\n"
    )
    first, second = map(json.loads, (user / "all.jsonl").read_text().splitlines())
    assert first["prompt"] + first["text"] == second["prompt"] == last[:-3]
    assert (first["model"], first["settings"]["seed"]) == ("tiny", 1)
    assert stat.S_IMODE((user / "all.jsonl").stat().st_mode) == 0o600


def test_a_saved_seed_draws_the_same_text(told, user, capsys):
    from charlm.cli.app import run

    told("/set max_new_tokens 9", "the", "/save all.jsonl")
    record = json.loads((user / "all.jsonl").read_text())
    run(["sample", "-m", "tiny", "-n", "9", "--seed", str(record["settings"]["seed"]), "the"])
    assert capsys.readouterr().out == f"the{record['text']}\n"


def test_a_transcript_takes_every_text(told, user):
    options = ("-m", "tiny", "--transcript", "all.jsonl")
    told("/set max_new_tokens 1", "the", options=options)
    told("fox", options=options)
    lines = [json.loads(line) for line in (user / "all.jsonl").read_text().splitlines()]
    assert [line["prompt"] for line in lines] == ["the", "fox"]


def test_a_transcript_that_cannot_be_written_is_told_once(told, user):
    options = ("-m", "tiny", "--transcript", "no/all.jsonl")
    status, _, err = told("the", "fox", options=options)
    kept = "charlm: warning: texts are no longer kept in no/all.jsonl: No such file or directory\n"
    assert (status, err) == (0, kept)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b"", "a.jsonl holds no text"),
        ("a.txt", b"\n", "a.txt holds no text"),
        ("a.jsonl", b"{}\n", "a.jsonl: line 1: expected a text as /save wrote it"),
        ("a.jsonl", b"[" * 5000, "a.jsonl: line 1: expected a text as /save wrote it"),
        (
            "a.jsonl",
            b'{"model": "a", "prompt": "b", "text": "c", "settings": {"top_p": 2.0}}',
            "a.jsonl: line 1: top_p must be at most 1, got 2.0",
        ),
        (
            "a.jsonl",
            b'{"model": "a", "prompt": 1, "text": "c", "settings": {}}',
            "a.jsonl: line 1: expected a text as /save wrote it",
        ),
        ("a.txt", b"a\x00b", None),
        ("b.txt", b"a\xffb", None),
    ],
)
def test_a_file_that_is_no_text_is_told_and_changes_nothing(told, user, name, data, message):
    (user / name).write_bytes(data)
    status, out, err = told("/set temperature 0.5", f"/load {name}", "/set temperature", "/undo")
    assert (status, out) == (0, 2 * "temperature  0.5\n")
    first, last = err.splitlines()
    assert first.startswith("charlm: ")
    assert last == "charlm: no text yet; type how one begins"
    assert message is None or first == f"charlm: {message}"


def test_of_a_long_text_the_end_is_kept_and_that_is_said(session, user, capsys):
    (user / "long.txt").write_text("a" + "b" * KEPT_CHARS + "\n")
    answer(session, "/load long.txt")
    assert session.last == Written("b" * KEPT_CHARS)
    answer(session, "/save end.txt")
    assert capsys.readouterr().err == (
        "read the last 20,000 characters; /more goes on with them\n"
        "wrote end.txt: the last 20,000 characters\n"
    )
