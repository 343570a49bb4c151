"""Help, errors and exit status of the whole command line."""

import json
import re
import shlex

import click
import pytest
from click.testing import CliRunner

import charlm as package
from charlm.base.errors import CharlmError
from charlm.cli import app
from charlm.cli.command import Command, Group
from charlm.cli.root import ROOT

LINES = {
    f"{name} {below}" if isinstance(command, Group) else name: late
    for name, command in ROOT.commands.items()
    for below, late in getattr(command, "commands", {"": command}).items()
}


WIDTH = max(map(len, ROOT.commands))
KNOWN = ", ".join(ROOT.commands)


def test_version(charlm):
    assert charlm("--version") == (0, f"charlm {package.__version__}\n", "")


OUT_OF_MEMORY = "charlm: out of memory; try a smaller model, batch or text\n"
NO_ZZZ = "charlm: no checkpoint 'zzz' in {home}/checkpoints/; charlm models lists those there are\n"


@pytest.mark.parametrize(
    "line", [(), ("--help",), ("-h",), ("help",), ("-v", "--help"), ("-v", "help")]
)
def test_help_lists_every_command_in_order(charlm, line):
    status, out, err = charlm(*line)
    assert (status, err) == (0, "")
    assert out.startswith("Usage: charlm [OPTIONS] COMMAND [ARGS]...\n")
    places = [
        out.index(f"  {name:{WIDTH}}  {one.short_help}\n") for name, one in ROOT.commands.items()
    ]
    assert places == sorted(places)


NO_ANSWER = ("repl", "config edit")  # commands that open something to work in


@pytest.mark.parametrize("line", LINES)
def test_every_command_has_help_with_a_runnable_example_and_json(charlm, line):
    late = LINES[line]
    command = late.load()
    status, out, err = charlm(*line.split(), "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: charlm {line} [OPTIONS]")
    assert command.help.split("\n")[0] == f"{late.short_help[0].upper()}{late.short_help[1:]}."
    name = line.removesuffix(" lm")
    assert any(text.startswith("  $ ") and f"charlm {name}" in text for text in out.splitlines())
    assert ("--json" in out) == (line not in NO_ANSWER)
    assert all(param.help for param in command.params)
    assert max(map(len, out.splitlines())) <= 90


def test_every_example_can_be_parsed(charlm, monkeypatch):
    """An example that names an option which is gone would teach an error."""
    for late in LINES.values():
        command = late.load()
        monkeypatch.setattr(command, "callback", None)
        for line, _ in command.examples:
            words = shlex.split(re.split(r"[|<]", line[line.index("charlm ") + 7 :])[0])
            assert charlm(*words) == (0, "", "")


@pytest.mark.parametrize("line", LINES)
def test_help_says_the_same_before_and_after(charlm, line):
    assert charlm("help", *line.split()) == charlm(*line.split(), "-h")


def test_help_of_a_group_lists_its_commands(charlm):
    status, out, _ = charlm("corpus", "--help")
    assert status == 0
    assert "\nCommands:\n  list   list the corpora\n  show   " in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            ("sammple",),
            f"charlm: no command 'sammple' (did you mean 'sample'?); known: {KNOWN}; "
            "try: charlm --help\n",
        ),
        (("--jsn",), "charlm: no option '--jsn'; try: charlm --help\n"),
        (
            ("--vershun",),
            "charlm: no option '--vershun' (did you mean '--version'?); try: charlm --help\n",
        ),
        (
            ("corpus",),
            "charlm: missing command; known: list, show, fetch, add; try: charlm corpus --help\n",
        ),
        (
            ("corpus", "lst"),
            "charlm: no command 'lst' (did you mean 'list'?); known: list, show, fetch, add; "
            "try: charlm corpus --help\n",
        ),
        (
            ("corpus", "--lst"),
            "charlm: no option '--lst'; try: charlm corpus --help\n",
        ),
        (
            ("sample", "--temprature", "1"),
            "charlm: no option '--temprature' (did you mean '--temperature'?); "
            "try: charlm sample --help\n",
        ),
        (
            ("sample", "--temperature", "-1"),
            "charlm: --temperature must be at least 0, got -1.0; try: charlm sample --help\n",
        ),
        (
            ("sample", "--temperature", "nan"),
            "charlm: --temperature must be a finite number, got nan; try: charlm sample --help\n",
        ),
        (
            ("sample", "--top-p", "0"),
            "charlm: --top-p must be more than 0, got 0.0; try: charlm sample --help\n",
        ),
        (
            ("sample", "-n", "-3"),
            "charlm: --max-new-tokens must be at least 0, got -3; try: charlm sample --help\n",
        ),
        (
            ("train", "--batch-size", "0"),
            "charlm: --batch-size must be at least 1, got 0; try: charlm train lm --help\n",
        ),
        (
            ("train", "--cell", "gur"),
            "charlm: invalid value for '--cell': 'gur' is not one of lstm, gru, rnn "
            "(did you mean 'gru'?); "
            "try: charlm train lm --help\n",
        ),
        (
            ("train", "--max-time", "soon"),
            "charlm: --max-time: 'soon' is no duration; write 90s, 3m, 1h or 1h30m; "
            "try: charlm train lm --help\n",
        ),
        (
            ("evaluate",),
            "charlm: give either FILE or --pairs FILE; try: charlm evaluate --help\n",
        ),
        (
            ("evaluate", "x", "--encoding-errors", "lax"),
            "charlm: invalid value for '--encoding-errors': 'lax' is not one of strict, replace, "
            "skip; "
            "try: charlm evaluate --help\n",
        ),
        (
            ("plot", "--measure", "los"),
            "charlm: invalid value for '--measure': 'los' is not one of bits-per-char, loss, "
            "accuracy, learning-rate, grad-norm, speed (did you mean 'loss'?); "
            "try: charlm plot --help\n",
        ),
        (
            ("plot", "--output", "x.pdf"),
            "charlm: --output must end in .png, .svg, .html, got 'x.pdf'; "
            "try: charlm plot --help\n",
        ),
        (
            ("sample", "-n", "many"),
            "charlm: invalid value for '-n' / '--max-new-tokens': 'many' is not a valid integer; "
            "try: charlm sample --help\n",
        ),
        (
            ("sample", "Once", "upon"),
            "charlm: got unexpected extra argument (upon); try: charlm sample --help\n",
        ),
        (
            ("sample", "--model"),
            "charlm: option '--model' requires an argument; try: charlm sample --help\n",
        ),
        (
            ("sample", "--json=1"),
            "charlm: option '--json' does not take a value; try: charlm sample --help\n",
        ),
        (
            ("sample", "\x1b[31m", "\x1b]0;t\x07"),
            "charlm: got unexpected extra argument (\\x1b]0;t\\x07); try: charlm sample --help\n",
        ),
        (
            ("\x1b[31m",),
            f"charlm: no command '\\x1b[31m'; known: {KNOWN}; try: charlm --help\n",
        ),
        (
            ("--show-completion", "tcsh"),
            "charlm: --show-completion needs a shell, one of bash, zsh, fish; got 'tcsh'; "
            "try: charlm --help\n",
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
        (("show", "zzz"), NO_ZZZ),
        (("plot", "zzz"), NO_ZZZ),
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
            NO_ZZZ.replace("zzz", r"\x1b[31m[red]\u202e"),
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
        (MemoryError(), 1, OUT_OF_MEMORY),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            1,
            OUT_OF_MEMORY,
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 1, OUT_OF_MEMORY),
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
    assert err.endswith(NO_ZZZ.format(home=home))


def test_options_stand_before_or_after_the_command(charlm, tiny):
    assert charlm("-v", "--debug", "models", "--json") == charlm("models", "--json", "-v")


def test_colour_is_forced_and_forbidden(charlm, home, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert charlm("corpus", "list")[1].startswith("\x1b[1mname")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in charlm("corpus", "list")[1]


def test_train_means_train_lm(charlm):
    assert charlm("train", "--help") == charlm("train", "lm", "--help")


def test_the_help_of_a_default_command_names_the_others():
    @click.command(cls=Command)
    def one():
        """Do one thing."""

    two = click.Command("two", short_help="do another")
    group = Group("do", commands={"one": one, "two": two}, default="one")
    shown = CliRunner().invoke(group, ["--help"]).stdout
    assert shown.startswith("Usage: do one [OPTIONS]\n")
    assert shown.endswith("\nOther commands:\n  do two  do another\n")
    assert CliRunner().invoke(Group("x", commands={"one": one}), ["--help"]).exit_code == 0


def test_the_public_names_resolve_lazily():
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert dir(package) == sorted(package.__all__)
    with pytest.raises(AttributeError, match=r"^module 'charlm' has no attribute 'lode'$"):
        _ = package.lode


def test_json_of_models_is_readable(charlm, tiny):
    status, out, err = charlm("models", "--json")
    assert (status, err) == (0, "")
    assert [json.loads(line)["name"] for line in out.splitlines()] == ["tiny", "shakespeare"]
