"""What a shell may offer after the words so far."""

import shutil
import subprocess
from pathlib import Path

import pytest

from charlm.cli.completion import candidates


def words(*line):
    return [value for value, _ in candidates(line)]


def test_commands_are_offered_first():
    assert words("s") == ["sample", "score", "show"]
    assert words("") == [
        *["train", "sample", "score", "evaluate", "models", "show", "plot", "corpus"],
        *["--help", "--version"],
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("corpus", ""), ["list", "show", "add"]),
        (("corpus", "s"), ["show"]),
        (("sample", "--temp"), ["--temperature"]),
        (("train", "lm", "--no-ti"), ["--no-tie-weights"]),
        (("train", "--cell", ""), ["lstm", "gru", "rnn"]),
        (("train", "--cell", "g"), ["gru"]),
        (("train", "--cell=g"), ["--cell=gru"]),
        (("train", "--epochs", ""), []),
        (("train", "--nonsense=x"), []),
        (("train", "--valid", ""), ["<files>"]),
        (("train", "./x"), ["<files>"]),
        (("sample", ""), []),
        (("nonsense", ""), []),
        (("corpus", "nonsense", ""), []),
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
    assert words("sample", "--model=ti") == ["--model=tiny"]
    assert words("train", "mi") == ["mine"]
    assert words("train", "py") == ["python", "python-docs"]
    assert words("train", "zz") == ["<files>"]


def test_the_answer_is_a_line_a_candidate(charlm):
    assert charlm("--complete", "mod") == (0, "models\tlist the models\n", "")
    assert charlm("--complete") == charlm("--complete", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_printed_and_installed(charlm, home, monkeypatch, shell):
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SHELL", f"/bin/{shell}")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    status, script, _ = charlm("--show-completion")
    assert status == 0
    assert "charlm --complete" in script
    status, out, _ = charlm("--install-completion")
    path = out.splitlines()[0].removeprefix("wrote ")
    assert path.startswith(str(home))
    assert Path(path).read_text() == script
    assert charlm("--show-completion", shell)[1] == script


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes(charlm, home):
    script = charlm("--show-completion", "bash")[1]
    code = (
        "charlm() { printf 'sample\\tlet a model write\\nscore\\tx\\n'; }\n"
        f"{script}\nCOMP_WORDS=(charlm s)\nCOMP_CWORD=1\n_charlm\necho ${{COMPREPLY[@]}}\n"
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("sample score\n", "")
