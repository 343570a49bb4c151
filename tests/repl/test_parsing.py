"""Lines in parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import ConfigError
from charlm.repl.commands import COMMANDS, find_command
from charlm.repl.loop import REGISTERED
from charlm.repl.parsing import is_open, parse_line, split_options, split_texts, split_words

TEXTS = st.text(alphabet="ab/\"'|- \n\té", max_size=20)


@given(TEXTS)
def test_every_text_can_be_meant_as_such(text):
    assert parse_line(f'"""{text}"""').rest == text
    if text.startswith("/"):
        assert parse_line(f"/{text}").rest == text
    elif not text.startswith('"""'):
        assert parse_line(text).rest == text


@given(TEXTS)
def test_a_text_is_open_until_its_quotes_are_closed(text):
    assert not is_open(f'"""{text}"""')
    if '"' not in text:
        assert is_open(f'"""{text}')
        assert is_open(text) is False


@given(st.sampled_from(sorted(COMMANDS)), st.text(alphabet="ab |", max_size=9))
def test_a_command_keeps_what_stands_behind_it(name, rest):
    line = parse_line(f"/{name} {rest}")
    assert (line.name, line.rest) == (name, rest.rstrip())


@given(st.lists(st.text(alphabet="ab c'", min_size=1).map(str.strip).filter(bool), max_size=5))
def test_words_in_quotes_come_back(words):
    assert split_words(" ".join(f'"{word}"' for word in words)) == words


@given(TEXTS)
def test_no_line_is_too_odd(text):
    split_words(text)
    assert all(split_texts(text))


def test_texts_are_parted_by_bars_between_blanks():
    assert split_texts(" a|b | 'c d' |  | e") == ["a|b", "c d", "e"]


def test_options_end_where_the_text_begins():
    known = {"tokens": False, "top-p": True}
    assert split_options("--top-p=0.5 --tokens a --b", known) == (
        {"top-p": "0.5", "tokens": ""},
        "a --b",
    )
    assert split_options("-- --tokens", known) == ({}, "--tokens")
    assert split_options('--top_p "a b" To be', known) == ({"top-p": "a b"}, "To be")


def test_quotes_part_texts_and_keep_bars():
    assert split_texts('"a | b"') == ["a | b"]
    assert split_texts('"a | b" "c"') == ["a | b", "c"]
    assert split_texts('"He said" she said "no"') == ['"He said" she said "no"']


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("--tokns a", "no option '--tokns' (did you mean 'tokens'?); known: --tokens, --top-p"),
        ("--top-p", "--top-p needs a value"),
    ],
)
def test_a_wrong_option_is_told(rest, message):
    with pytest.raises(ConfigError) as error:
        split_options(rest, {"tokens": False, "top-p": True})
    assert str(error.value) == message


def test_commands_are_found_by_their_beginning():
    assert REGISTERED
    assert find_command("heat").name == "heatmap"
    assert find_command("model").name == "model"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sammple", "no command '/sammple' (did you mean '/sample'?); /help lists them"),
        ("zzz", "no command '/zzz'; /help lists them"),
        ("mo", "/mo may be /more, /model, /models"),
    ],
)
def test_a_wrong_command_is_told_with_near_ones(name, message):
    with pytest.raises(ConfigError) as error:
        find_command(name)
    assert str(error.value) == message


def test_quotes_with_nothing_between_them_are_no_text():
    with pytest.raises(ConfigError, match="there is no text between the quotes"):
        split_texts('"" | " "')
