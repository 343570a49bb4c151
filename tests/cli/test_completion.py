"""What a shell may offer after the words so far."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import FishComplete

from charlm.base.errors import CheckpointError
from charlm.cli.completion import VARIABLE
from charlm.cli.root import ROOT


def items(*line):
    """Return what Click offers for the last word."""
    shell = FishComplete(ROOT, {}, "charlm", VARIABLE)
    return shell.get_completions(list(line[:-1]), line[-1])


def words(*line):
    return ["<files>" if item.type == "file" else item.value for item in items(*line)]


def test_commands_are_offered_first():
    assert words("sh") == ["show"]
    assert words("s") == [name for name in ROOT.commands if name.startswith("s")]
    assert words("") == list(ROOT.commands)
    assert words("--v") == ["--version", "--verbose"]
    assert [item.help for item in items("mod")] == ["list the models"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("corpus", ""), ["list", "show", "fetch", "add"]),
        (("corpus", "s"), ["show"]),
        (("train", "l"), ["lm"]),
        (("train", "--max-t"), ["--max-time"]),
        (("sample", "--temp"), ["--temperature"]),
        (("train", "lm", "--no-ti"), ["--no-tie-weights"]),
        (("train", "--cell", ""), ["lstm", "gru", "rnn"]),
        (("train", "--cell", "g"), ["gru"]),
        (("train", "lm", "--cell=g"), ["gru"]),
        (("train", "--epochs", ""), []),
        (("train", "--nonsense=x"), ["<files>"]),
        (("train", "--valid", ""), ["<files>"]),
        (("train", "./x"), ["<files>"]),
        (("sample", ""), []),
        (("nonsense", "x"), []),
        (("corpus", "nonsense", "x"), []),
        (("corpus", "add", "name", "f"), ["<files>"]),
    ],
)
def test_what_may_follow(line, expected):
    assert words(*line) == expected


def test_models_and_corpora_are_offered_by_name(tiny):
    (tiny / "corpora").mkdir()
    (tiny / "corpora" / "mine.txt").write_text("x")
    assert words("sample", "-m", "ti") == ["tiny"]
    assert words("show", "ti") == ["tiny"]
    assert words("sample", "--model=ti") == ["tiny"]
    assert words("train", "mi") == ["mine"]
    assert {"lm", "mine", "python"} < set(words("train", ""))
    assert words("train", "py") == ["python", "python-docs"]
    assert words("train", "zz") == ["<files>"]


@pytest.mark.parametrize(
    ("shell", "answer"), [("bash", "plain,models\n"), ("fish", "plain,models\tlist the models\n")]
)
def test_a_shell_asks_through_the_environment(charlm, monkeypatch, shell, answer):
    monkeypatch.setenv(VARIABLE, f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", "charlm mod")
    monkeypatch.setenv("COMP_CWORD", "1" if shell == "bash" else "mod")
    assert charlm() == (0, answer, "")


def test_an_error_does_not_write_into_the_line_of_a_shell(charlm, monkeypatch):
    def fail():
        raise CheckpointError("no")

    monkeypatch.setattr("charlm.store.locate.list_models", fail)
    for name, value in {VARIABLE: "bash_complete", "COMP_WORDS": "charlm show x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COMP_CWORD", "2")
    assert charlm() == (1, "", "")


def test_a_name_that_could_steer_a_terminal_is_offered_as_an_escape(home):
    (home / "corpora").mkdir()
    (home / "corpora" / "a\x1b.txt").write_text("x")
    assert "a\x1b" not in words("train", "a")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_printed_and_installed(charlm, home, monkeypatch, shell):
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SHELL", f"/bin/{shell}")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    status, script, _ = charlm("--show-completion")
    assert status == 0
    assert "_CHARLM_COMPLETE=" in script
    status, out, _ = charlm("--install-completion")
    path = out.splitlines()[0].removeprefix("wrote ")
    assert path.startswith(str(home))
    assert Path(path).read_text() == script
    assert charlm("--show-completion", shell)[1] == script


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes(charlm, tiny):
    (tiny / "charlm").write_text(f'#!/bin/sh\nexec {sys.executable} -m charlm "$@"\n')
    (tiny / "charlm").chmod(0o755)
    script = charlm("--show-completion", "bash")[1]
    code = (
        f"PATH={tiny}:$PATH\n{script}\nCOMP_WORDS=(charlm sample -m t)\nCOMP_CWORD=3\n"
        "_charlm_completion charlm\necho ${COMPREPLY[@]}\n"
    )
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        ["bash", "-c", code], capture_output=True, text=True, check=False, env=variables
    )
    assert (done.stdout, done.stderr) == ("tiny\n", "")
