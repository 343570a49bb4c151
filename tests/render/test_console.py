"""What reaches a terminal, and what reaches a pipe."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.render.console import (
    LiveText,
    OutputError,
    one_line,
    out,
    sanitize,
    talk,
    wants_color,
    width,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


class Gone(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain äöü 漢字 👩‍🚀\n\t", "plain äöü 漢字 👩‍🚀\n\t"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31mred\x85", "\\x9b31mred\\x85"),
        ("\r\x08\x7f", "\\x0d\\x08\\x7f"),
        ("a\u202eb\u2066c\u200e", "a\\u202eb\\u2066c\\u200e"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("[red]no markup[/red]", "[red]no markup[/red]"),
    ],
)
def test_what_steers_a_terminal_is_shown_as_an_escape(text, shown):
    assert sanitize(text) == shown


@given(st.text(st.characters()))
def test_no_text_leaves_a_control_character(text):
    clean = sanitize(text)
    assert not [c for c in clean if ord(c) < 32 and c not in "\n\t"]
    assert not [c for c in clean if 0x7F <= ord(c) <= 0x9F or 0xD800 <= ord(c) <= 0xDFFF]
    assert sanitize(clean) == clean
    assert "\n" not in one_line(text)


@pytest.mark.parametrize(
    ("stream", "expected"), [(Terminal(), "\\x1b[1mhi\n"), (io.StringIO(), "\x1b[1mhi\n")]
)
def test_a_terminal_gets_clean_text_and_a_pipe_the_exact_one(monkeypatch, stream, expected):
    monkeypatch.setattr(sys, "stdout", stream)
    out("\x1b[1mhi")
    assert stream.getvalue() == expected


def test_a_full_disk_is_one_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OutputError) as error:
        out("hi")
    assert str(error.value) == "cannot write to standard output: No space left on device"


def test_a_reader_who_left_stays_a_broken_pipe(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Gone())
    with pytest.raises(BrokenPipeError):
        out("hi")


@pytest.mark.parametrize("stream", [Full(), Gone(), None])
def test_talk_never_fails(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    talk("hi")


def test_live_text_ends_its_line_once(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    live = LiveText()
    live.end_line()
    live.write("ab")
    live.write("")
    live.end_line()
    live.end_line()
    assert stream.getvalue() == "ab\n"


def test_live_text_flushes_a_terminal_at_every_piece_and_a_pipe_now_and_then(monkeypatch):
    def flushes(stream):
        counted = []
        monkeypatch.setattr(stream, "flush", lambda: counted.append(1))
        monkeypatch.setattr(sys, "stdout", stream)
        live = LiveText()
        for _ in range(100):
            live.write("x")
        return len(counted)

    assert flushes(Terminal()) == 100
    assert flushes(io.StringIO()) < 50


@pytest.mark.parametrize(
    ("environment", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_follows_the_customs(monkeypatch, environment, terminal, expected):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_color(Terminal() if terminal else io.StringIO()) is expected


def test_a_pipe_has_no_width_and_a_terminal_that_of_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert width(io.StringIO()) is None
    assert width(Terminal()) == 20
    monkeypatch.setenv("COLUMNS", "wide")
    assert width(Terminal()) == 80
