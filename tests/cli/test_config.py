"""The settings of sessions, shown and edited; the habits of a model, in `charlm sample`."""

import json
import tomllib

import pytest


@pytest.fixture
def file(home, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    return home / "config" / "charlm" / "repl.toml"


def test_settings_that_are_not_there_are_the_defaults(charlm, file):
    status, out, err = charlm("config", "show")
    assert (status, err) == (0, "")
    assert f"{file} (not there: these are the defaults)" in out
    assert "sampling.temperature" in out


def test_settings_are_shown_as_they_hold(charlm, file):
    file.parent.mkdir(parents=True)
    file.write_text('keys = "vi"\n[sampling]\ntop_p = 0.9\n')
    found = json.loads(charlm("config", "show", "--json")[1])
    assert (found["file"], found["keys"]) == (str(file), "vi")
    assert (found["sampling"]["top_p"], found["sampling"]["temperature"]) == (0.9, 0.8)


def test_settings_that_are_wrong_are_an_error(charlm, file):
    file.parent.mkdir(parents=True)
    file.write_text('keys = "wordstar"\n')
    status, out, err = charlm("config", "show")
    assert (status, out) == (1, "")
    assert f"{file}: keys must be one of emacs, vi, got 'wordstar'" in err


def test_a_new_file_explains_every_setting_and_sets_none(charlm, file, monkeypatch):
    monkeypatch.setenv("VISUAL", "true")
    assert charlm("config", "edit") == (0, "", "")
    text = file.read_text()
    assert tomllib.loads(text) == {"sampling": {}}
    every = "\n".join(
        line.removeprefix("# ") if " = " in line else line for line in text.split("\n")
    )
    assert tomllib.loads(every)["keys"] == "emacs"
    assert tomllib.loads(every)["sampling"]["temperature"] == 0.8


def test_an_editor_that_leaves_nonsense_is_told(charlm, file, tmp_path, monkeypatch):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\necho 'keys =' > \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    status, _, err = charlm("config", "edit")
    assert status == 1
    assert str(file) in err


def test_an_editor_that_is_not_there_is_told(charlm, file, monkeypatch):
    monkeypatch.setenv("VISUAL", "/no/editor")
    status, _, err = charlm("config", "edit")
    assert status == 1
    assert f"set EDITOR, or edit {file} yourself" in err


def test_a_models_habits_hold_where_the_command_line_says_nothing(charlm, home, tiny):
    (home / "checkpoints" / "tiny.toml").write_text("max_new_tokens = 4\nseed = 1\n")
    short = charlm("sample", "-m", "tiny", "--json")[1]
    assert json.loads(short)["tokens"] == 4
    assert short == charlm("sample", "-m", "tiny", "--json", "-n", "4", "--seed", "1")[1]
    assert json.loads(charlm("sample", "-m", "tiny", "--json", "-n", "6")[1])["tokens"] == 6
