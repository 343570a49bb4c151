"""Heat maps fit, in colours and in numbers, and are harmless."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.render import surprisal
from charlm.render.surprisal import LONG_LEVELS, SHORT_LEVELS, build_cells, show_heatmap, wrap
from charlm.render.tables import columns_of


def bits(*values):
    return [-value * math.log(2.0) for value in values]


def tokens(text, *values):
    return list(zip(text, bits(*values), strict=True))


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("FORCE_COLOR", "COLORTERM", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")


def test_numbers_stand_under_the_text(capsys):
    show_heatmap(tokens("ab c\n", 0.2, 3.4, 1.0, 11.0, 2.0))
    assert capsys.readouterr().out == (
        "ab c↵\n03192\nbelow: bits of surprise a token (9: 9 or more, where one digit has room)\n"
    )


def test_longer_tokens_have_longer_numbers(capsys):
    show_heatmap(list(zip(["the", " cat", " of"], bits(2, 12.4, 100), strict=True)))
    assert capsys.readouterr().out.splitlines()[:2] == ["the cat of", "2   12  9"]


def test_colours_are_those_of_the_levels_with_a_legend(capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    show_heatmap(tokens("abc", 0.5, 1.5, 9.0))
    first, legend = capsys.readouterr().out.splitlines()
    assert first == "a\x1b[30;46mb\x1b[0m\x1b[1;97;41mc\x1b[0m"
    assert legend == (
        "bits:  <1 \x1b[30;46m 1-2 \x1b[0m\x1b[30;42m 2-4 \x1b[0m\x1b[30;43m 4-6 \x1b[0m"
        "\x1b[97;45m 6-9 \x1b[0m\x1b[1;97;41m ≥9 \x1b[0m"
    )
    monkeypatch.setenv("TERM", "xterm-256color")
    show_heatmap(tokens("c", 9.0))
    assert capsys.readouterr().out.startswith("\x1b[1;38;5;231;48;5;124mc\x1b[0m\n")


def test_every_level_has_paint():
    assert len(surprisal.SIXTEEN) == len(surprisal.MANY) == len(SHORT_LEVELS) + 1
    assert len(LONG_LEVELS) == len(SHORT_LEVELS)


def test_escapes_are_made_visible():
    (cell,) = build_cells(tokens("\x1b", 1.0), SHORT_LEVELS)
    assert cell.text == "\\x1b"


def test_parts_of_a_character_and_combining_marks_add_up():
    cells = build_cells([("", -math.log(2)), ("é", -math.log(4))], SHORT_LEVELS)
    assert [(cell.text, cell.bits) for cell in cells] == [("é", 3.0)]
    cells = build_cells(tokens("e\u0301", 1.0, 2.0), SHORT_LEVELS)
    assert [(cell.text, cell.bits) for cell in cells] == [("e\u0301", 3.0)]


@given(st.lists(st.text(alphabet="ab 漢\n\x1b\u0301", max_size=6), max_size=30), st.integers(4, 40))
def test_lines_fit_and_nothing_is_lost(texts, columns):
    cells = build_cells([(text, -1.0) for text in texts], SHORT_LEVELS)
    lines = list(wrap(cells, columns))
    assert all(sum(columns_of(cell.text) for cell in line) <= columns for line in lines)
    assert "".join(c.text for line in lines for c in line) == "".join(c.text for c in cells)


def test_lines_break_before_words():
    cells = build_cells(tokens("aa bbb cc", *[1.0] * 9), SHORT_LEVELS)
    shown = ["".join(cell.text for cell in line) for line in wrap(cells, 6)]
    assert shown == ["aa bbb", " cc"]
    assert ["".join(c.text for c in line) for line in wrap(cells, 5)] == ["aa ", "bbb ", "cc"]
