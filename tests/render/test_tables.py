"""Columns, cut to a terminal's width or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.render.machine import json_line
from charlm.render.tables import columns_of, count, cut, layout, show_facts, show_table

ROWS = [("shakespeare", "3"), ("漢字", "12345")]


def test_columns_are_aligned_by_what_a_terminal_shows():
    assert layout(("name", "n"), ROWS, right={1}, limit=None) == [
        "name             n",
        "shakespeare      3",
        "漢字         12345",
    ]


def test_the_widest_column_gives_way():
    assert layout(("name", "n"), ROWS, right={1}, limit=16) == [
        "name           n",
        "shakespe…      3",
        "漢字       12345",
    ]


def test_a_terminal_too_narrow_for_columns_gets_blocks():
    assert layout(("name", "n"), ROWS, right={1}, limit=12) == [
        "",
        "name: shake…",
        "n: 3",
        "",
        "name: 漢字",
        "n: 12345",
    ]


@given(
    st.lists(st.tuples(st.text("ab漢 ", max_size=30), st.text("xy", max_size=9)), max_size=5),
    st.integers(1, 60),
)
def test_no_line_is_wider_than_the_limit(rows, limit):
    lines = layout(("name", "n"), rows, right={1}, limit=limit)
    assert max(map(columns_of, lines)) <= max(limit, 0)


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
        ({"a": "\ud800"}, '{"a": "\\ud800"}'),
        ({"a": "\U000e0041 ä"}, '{"a": "\\udb40\\udc41 ä"}'),
    ],
)
def test_json_is_strict_and_harmless(record, line):
    assert json_line(record) == line


@given(st.dictionaries(st.text(), st.text(st.characters())))
def test_json_comes_back(record):
    import json

    line = json_line(record)
    assert json.loads(line) == record
    assert "\n" not in line
