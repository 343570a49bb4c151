"""Command lines to values."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.cli.parse import parse
from charlm.cli.spec import JSON, Argument, Command, Option, UsageError


def command(*arguments):
    return Command(
        "demo",
        "a command",
        lambda values: 0,
        arguments=arguments or (Argument("text", "a text"),),
        options=(
            Option("max_new_tokens", "length", kind=int, short="n", default=200),
            Option("top_p", "mass", kind=float, default=1.0),
            Option("stop", "where to stop", default=(), repeats=True),
            Option("skip", "skip", kind=bool, default=None, negatable=True),
            JSON,
        ),
    )


def values(line, *arguments):
    found = parse(command(*arguments), line)
    for name in ("verbose", "debug", "help"):
        found.pop(name)
    return found


DEFAULTS = {
    "max_new_tokens": 200,
    "top_p": 1.0,
    "stop": (),
    "skip": None,
    "json": False,
    "text": None,
}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ([], {}),
        (["hello"], {"text": "hello"}),
        (["-n", "5", "hello"], {"max_new_tokens": 5, "text": "hello"}),
        (["hello", "-n5"], {"max_new_tokens": 5, "text": "hello"}),
        (["-n=5"], {"max_new_tokens": 5}),
        (["--max-new-tokens", "5"], {"max_new_tokens": 5}),
        (["--max-new-tokens=5"], {"max_new_tokens": 5}),
        (["--top-p", "-1"], {"top_p": -1.0}),
        (["--top-p=1e-3"], {"top_p": 0.001}),
        (["--stop", "a", "--stop", "b"], {"stop": ("a", "b")}),
        (["--stop", "--json"], {"stop": ("--json",)}),
        (["--stop="], {"stop": ("",)}),
        (["--skip"], {"skip": True}),
        (["--skip", "--no-skip"], {"skip": False}),
        (["--json"], {"json": True}),
        (["-"], {"text": "-"}),
        (["-5"], {"text": "-5"}),
        (["--", "--json"], {"text": "--json"}),
        (["--", "--"], {"text": "--"}),
        (["-nan"], None),
        ([""], {"text": ""}),
    ],
)
def test_a_command_line_gives_these_values(line, expected):
    if expected is None:
        with pytest.raises(UsageError, match=r"^-n must be a whole number"):
            values(line)
        return
    assert values(line) == DEFAULTS | expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--top-q", "1"], "no option '--top-q' (did you mean '--top-p'?)"),
        (["--jsn"], "no option '--jsn' (did you mean '--json'?)"),
        (["-x"], "no option '-x'"),
        (["-n"], "-n needs a value"),
        (["--top-p"], "--top-p needs a value"),
        (["-n", "many"], "-n must be a whole number, got 'many'"),
        (["-n", "1.5"], "-n must be a whole number, got '1.5'"),
        (["--top-p", "much"], "--top-p must be a number, got 'much'"),
        (["--json=1"], "--json takes no value, got '1'"),
        (
            ["Once", "upon"],
            "unexpected argument 'upon'; put a text of several words in quotes",
        ),
    ],
)
def test_a_wrong_command_line_is_told_in_one_sentence(line, message):
    with pytest.raises(UsageError) as error:
        values(line)
    assert str(error.value) == message


def test_a_missing_argument_is_named_with_its_help():
    with pytest.raises(UsageError) as error:
        values([], Argument("file", "the text to read", required=True))
    assert str(error.value) == "FILE is missing: the text to read"


def test_a_repeating_argument_takes_all_words():
    found = values(["a", "-n", "1", "b"], Argument("text", "texts", repeats=True))
    assert found["text"] == ("a", "b")


def test_a_required_argument_comes_before_a_repeating_one():
    name, files = Argument("name", "name", required=True), Argument("file", "files", True, True)
    found = values(["n", "a", "b"], name, files)
    assert (found["name"], found["file"]) == ("n", ("a", "b"))


def test_help_wins_over_what_is_wrong_after_it():
    assert parse(command(), ["--help", "--nonsense"])["help"] is True


@pytest.mark.parametrize(("line", "level"), [(["-v"], 1), (["-vv"], 2), (["-v", "x", "-v"], 2)])
def test_v_counts(line, level):
    assert parse(command(), line)["verbose"] == level


@given(st.lists(st.text()))
def test_any_line_is_read_or_refused(line):
    with contextlib.suppress(UsageError):
        found = parse(command(Argument("text", "texts", repeats=True)), line)
        assert found["help"] or isinstance(found["text"], tuple)


@given(st.lists(st.text()))
def test_after_two_dashes_every_word_is_an_argument(words):
    found = values(["--", *words], Argument("text", "texts", repeats=True))
    assert found["text"] == tuple(words)
