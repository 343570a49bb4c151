"""Help, errors and exit status of the whole command line."""

import json

import pytest

import charlm as package
from charlm.base.errors import CharlmError
from charlm.cli import app
from charlm.cli.index import GROUPS, INDEX, load_command


def test_version(charlm):
    assert charlm("--version") == (0, f"charlm {package.__version__}\n", "")


@pytest.mark.parametrize("line", [(), ("--help",), ("-h",), ("help",), ("-v", "--help")])
def test_help_lists_every_command(charlm, line):
    status, out, err = charlm(*line)
    assert (status, err) == (0, "")
    for name, entry in INDEX.items():
        assert f"  {name}" in out
        assert entry.summary in out


@pytest.mark.parametrize("name", INDEX)
def test_every_command_has_help_with_a_runnable_example_and_json(charlm, name):
    command = load_command(name)
    status, out, err = charlm(*name.split(), "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: charlm {name}")
    assert command.summary == INDEX[name].summary
    assert any(line.strip().startswith("$ ") and name in line for line in out.splitlines())
    assert "--json" in out
    assert all(option.spelling in out or option.negatable for option in command.options)
    assert max(map(len, out.splitlines())) <= 90


@pytest.mark.parametrize("name", INDEX)
def test_help_of_every_command_fits_a_narrow_terminal(charlm, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "20")
    _, out, _ = charlm(*name.split(), "--help")
    sentences = out[: out.index("Examples:")].splitlines()
    assert [line for line in sentences if len(line) > 20 and " " in line.strip()[:-1]] == [
        line for line in sentences if line.startswith("  -") and len(line) > 20
    ]


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_shows_its_commands(charlm, group):
    status, out, _ = charlm(group, "--help")
    assert status == 0
    assert all(name in out for name in INDEX if name.startswith(group + " "))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            ("sampel",),
            "charlm: no command 'sampel' (did you mean 'sample'?); known: train, sample, score, "
            "evaluate, models, show, plot, corpus; see charlm --help\n",
        ),
        (("--jsn",), "charlm: no option '--jsn'; see charlm --help\n"),
        (
            ("--vershun",),
            "charlm: no option '--vershun' (did you mean '--version'?); see charlm --help\n",
        ),
        (
            ("corpus",),
            "charlm: charlm corpus needs a command: list, show, add; see charlm corpus --help\n",
        ),
        (
            ("corpus", "lst"),
            "charlm: no command 'corpus lst' (did you mean 'list'?); known: list, show, add; "
            "see charlm corpus --help\n",
        ),
        (
            ("corpus", "--lst"),
            "charlm: no option '--lst' of charlm corpus; see charlm corpus --help\n",
        ),
        (
            ("sample", "--temprature", "1"),
            "charlm: no option '--temprature' (did you mean '--temperature'?); "
            "see charlm sample --help\n",
        ),
        (
            ("sample", "--temperature", "-1"),
            "charlm: --temperature must be at least 0, got -1.0; see charlm sample --help\n",
        ),
        (
            ("sample", "--temperature", "nan"),
            "charlm: --temperature must be a finite number, got nan; see charlm sample --help\n",
        ),
        (
            ("sample", "--top-p", "0"),
            "charlm: --top-p must be more than 0, got 0.0; see charlm sample --help\n",
        ),
        (
            ("sample", "-n", "-3"),
            "charlm: --max-new-tokens must be at least 0, got -3; see charlm sample --help\n",
        ),
        (
            ("train", "--batch-size", "0"),
            "charlm: --batch-size must be at least 1, got 0; see charlm train --help\n",
        ),
        (
            ("train", "--cell", "gur"),
            "charlm: --cell must be one of lstm, gru, rnn (did you mean 'gru'?), got 'gur'; "
            "see charlm train --help\n",
        ),
        (
            ("train", "--max-time", "soon"),
            "charlm: --max-time: 'soon' is no duration; write 90s, 3m, 1h or 1h30m; "
            "see charlm train --help\n",
        ),
        (
            ("evaluate",),
            "charlm: FILE is missing: files, folders, globs, - for stdin, or corpora by name; "
            "see charlm evaluate --help\n",
        ),
        (
            ("evaluate", "x", "--encoding-errors", "lax"),
            "charlm: --encoding-errors must be one of strict, replace, skip, got 'lax'; "
            "see charlm evaluate --help\n",
        ),
        (
            ("plot", "--measure", "los"),
            "charlm: --measure must be one of bits-per-char, loss, learning-rate, grad-norm, "
            "speed (did you mean 'loss'?), got 'los'; see charlm plot --help\n",
        ),
        (
            ("plot", "--output", "x.pdf"),
            "charlm: --output must end in .png, .svg, .html, got 'x.pdf'; see charlm plot --help\n",
        ),
        (
            ("--show-completion", "tcsh"),
            "charlm: --show-completion needs a shell, one of bash, zsh, fish; got 'tcsh'; "
            "see charlm --help\n",
        ),
    ],
)
def test_a_usage_error_is_one_line_and_2(charlm, line, message):
    assert charlm(*line) == (2, "", message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            ("sample", "-m", "tinny"),
            "charlm: no checkpoint 'tinny' in {home}/checkpoints/ (did you mean 'tiny'?)\n",
        ),
        (("score", "-m", "no/where"), "charlm: no model folder 'no/where'\n"),
        (("show", "zzz"), "charlm: no checkpoint 'zzz' in {home}/checkpoints/\n"),
        (("plot", "zzz"), "charlm: no checkpoint 'zzz' in {home}/checkpoints/\n"),
        (
            ("evaluate", "-m", "tiny", "no.txt"),
            "charlm: no file or corpus 'no.txt'\n",
        ),
        (
            ("corpus", "show", "pythn"),
            "charlm: no file or corpus 'pythn' (did you mean 'python'?)\n",
        ),
        (
            ("sample", "-m", "tiny", "--strict", "é"),
            "charlm: the prompt has characters unknown to 'tiny': 'é'\n",
        ),
        (
            ("sample", "-m", "\x1b[31m[red]\u202e"),
            "charlm: no checkpoint '\\x1b[31m[red]\\u202e' in {home}/checkpoints/\n",
        ),
        (
            ("plot", "tiny", "--output", "no/x.svg"),
            "charlm: cannot write no/x.svg: No such file or directory\n",
        ),
    ],
)
def test_a_failure_is_one_line_and_1(charlm, tiny, line, message):
    assert charlm(*line) == (1, "", message.format(home=tiny))


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (CharlmError("a\n\x1b[31m"), 1, "charlm: a\\n\\x1b[31m\n"),
        (MemoryError(), 1, "charlm: out of memory; try a smaller model, batch or text\n"),
        (PermissionError(13, "Permission denied", "f\n"), 1, "charlm: f\\n: Permission denied\n"),
        (OSError("odd"), 1, "charlm: odd\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
        (
            KeyError("x"),
            1,
            "charlm: internal error: KeyError: 'x'\n"
            "charlm: run it again with --debug and report what it prints\n",
        ),
    ],
)
def test_every_error_becomes_a_message_in_one_place(charlm, monkeypatch, error, status, message):
    def fail(argv):
        raise error

    monkeypatch.setattr(app, "_dispatch", fail)
    monkeypatch.setattr(app, "_silence_stdout", lambda: None)
    assert charlm("models") == (status, "", message)


def test_debug_shows_the_traceback(charlm, home):
    status, _, err = charlm("show", "zzz", "--debug")
    assert status == 1
    assert err.startswith("Traceback (most recent call last):")
    assert err.endswith("charlm: no checkpoint 'zzz' in " + f"{home}/checkpoints/\n")


def test_options_stand_before_or_after_the_command(charlm, tiny):
    assert charlm("-v", "--debug", "models", "--json") == charlm("models", "--json", "-v")


def test_colour_is_forced_and_forbidden(charlm, home, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1mCommands:\x1b[0m" in charlm("--help")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in charlm("--help")[1]


def test_train_means_train_lm(charlm):
    assert charlm("train", "--help") == charlm("train", "lm", "--help")


def test_the_public_names_resolve_lazily():
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert dir(package) == sorted(package.__all__)
    with pytest.raises(AttributeError, match=r"^module 'charlm' has no attribute 'lode'$"):
        _ = package.lode


def test_json_of_models_is_readable(charlm, tiny):
    status, out, err = charlm("models", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["name"] == "tiny"
