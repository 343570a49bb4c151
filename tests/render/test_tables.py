"""Columns, cut to a terminal's width or not at all."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.render.machine import json_line
from charlm.render.tables import columns_of, count, cut, layout, show_facts, show_table

ROWS = [("shakespeare", "3"), ("漢字", "12345")]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Return what a table looks like on a terminal of so many columns."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def shown(columns, *table, term="xterm", right=()):
        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", term)
        show_table(*table, right=right)
        return sys.stdout.getvalue()

    return shown


def test_columns_are_aligned_by_what_a_terminal_shows(capsys):
    show_table(("name", "n"), ROWS, right={1})
    assert capsys.readouterr().out.splitlines() == [
        "name             n",
        "shakespeare      3",
        "漢字         12345",
    ]


def test_a_terminal_gets_the_same_columns(terminal):
    shown = terminal(80, ("name", "n"), ROWS, term="dumb", right={1})
    assert [line.rstrip() for line in shown.splitlines()] == [
        "name             n",
        "shakespeare      3",
        "漢字         12345",
    ]


def test_on_a_terminal_long_cells_wrap(terminal):
    rows = [("a", "one two three four")]
    shown = terminal(14, ("name", "about"), rows, term="dumb")
    assert [line.rstrip() for line in shown.splitlines()] == [
        "name  about",
        "a     one two",
        "      three",
        "      four",
    ]


def test_a_terminal_too_narrow_for_columns_gets_facts(terminal):
    assert terminal(12, ("name", "n"), ROWS, term="dumb") == (
        "name  shakespeare\nn     3\n\nname  漢字\nn     12345\n\n"
    )


def test_a_head_is_bold_where_colour_is_wanted(terminal, monkeypatch):
    assert terminal(80, ("name",), []).startswith("\x1b[1mname")
    assert "\x1b" not in terminal(80, ("name",), [], term="dumb")
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal(80, ("name",), []).strip() == "name"


def test_no_cell_is_taken_for_markup_or_steers_a_terminal(terminal):
    shown = terminal(80, ("name",), [("[red]a[/red] :smile: \x1b]0;t\x07",)], term="dumb")
    assert shown.splitlines()[1].strip() == "[red]a[/red] :smile: \\x1b]0;t\\x07"


@given(
    st.lists(st.tuples(st.text("ab漢 ", max_size=30), st.text("xy", max_size=9)), max_size=5),
)
def test_all_lines_are_aligned(rows):
    found = layout([("name", "n"), *[(a.strip(), b) for a, b in rows]], right={1})
    assert len({columns_of(line) for line in found if line[-1:] in "nxy" and " " in line}) <= 2


@given(st.text(), st.integers(0, 40))
def test_cut_fits(text, columns):
    assert columns_of(cut(text, columns)) <= columns


def test_a_cell_is_one_harmless_line(capsys):
    show_table(("name",), [("a\x1b[31m\n[bold]b[/bold]",)])
    assert capsys.readouterr().out == "name\na\\x1b[31m\\n[bold]b[/bold]\n"


def test_facts_are_aligned(capsys):
    show_facts([("a", "1"), ("long", "2"), ("b", "")], indent=2)
    assert capsys.readouterr().out == "  a     1\n  long  2\n  b\n"


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (999, "999"), (1000, "1k"), (999_950, "1M"), (2.5e9, "2.5G")]
)
def test_counts_read_easily(value, shown):
    assert count(value) == shown


@pytest.mark.parametrize(
    ("record", "line"),
    [
        ({"a": float("nan"), "b": [1, (2.5,)]}, '{"a": null, "b": [1, [2.5]]}'),
        ({"a": "\x1b\x9b\u202e"}, '{"a": "\\u001b\\u009b\\u202e"}'),
        ({"a": "\ud800", "\udce9": "\ud83d\ude00"}, '{"a": "\ufffd", "\ufffd": "\ufffd\ufffd"}'),
        ({"a": "\U000e0041 ä"}, '{"a": "\\udb40\\udc41 ä"}'),
    ],
)
def test_json_is_strict_and_harmless(record, line):
    assert json_line(record) == line


@given(st.dictionaries(st.text(), st.text()))
def test_json_comes_back(record):
    import json

    line = json_line(record)
    assert json.loads(line) == record
    assert "\n" not in line


def test_no_name_of_a_fact_steers_a_terminal(capsys):
    show_facts([("a\x1b[2J\nb", "x"), ("c", "y")])
    assert capsys.readouterr().out == "a\\x1b[2J\\nb  x\nc            y\n"
