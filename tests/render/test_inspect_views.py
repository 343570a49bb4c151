"""Bars and digits stand where their tokens stand, fit any width, and are harmless."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.render.inspect import show_gate_table, show_matches
from charlm.render.inspect_bars import bars, decades, show_gradients
from charlm.render.inspect_text import show_gates_over, show_unit
from charlm.render.tables import columns_of
from charlm.tasks.inspect_gates import GateResult
from charlm.tasks.inspect_gradients import GradientsResult, Reach
from charlm.tasks.inspect_neurons import NeuronsResult, UnitMatch, UnitResult


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("FORCE_COLOR", "COLORTERM", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")


class Ascii(io.StringIO):
    encoding = "ascii"


class Utf8(io.StringIO):
    encoding = "utf-8"


def draw(texts, values, stream=Utf8, **options):
    kept, sys.stdout = sys.stdout, stream()
    try:
        return bars(texts, values, **({"low": -4, "high": 0, "columns": 60} | options))
    finally:
        sys.stdout = kept


def test_a_bar_is_as_high_as_its_logarithm():
    found = draw(["", "a", " ", "\n", "x"], [1e-4, 1e-3, 1e-2, 1.0, 0.0])
    assert found == [
        " 1e0    █",
        "        █",
        "       ▄█",
        "      ▂██",
        "1e-4 ▁███",
        "     ^a ↵x",
    ]


def test_bars_without_block_characters():
    assert draw(["a", "b"], [1e-4, 1.0], Ascii) == [
        " 1e0  #", "      #", "      #", "      #", "1e-4 ##", "     ab"
    ]  # fmt: skip


def test_bars_of_words_are_as_wide_as_they():
    found = draw(["", "The", " cat"], [1.0, 1.0, 0.0], columns=20)
    assert found == ["█ ███"] * 5 + ["^ The cat"]


def test_bars_that_do_not_fit_follow_below():
    found = draw(list("abcd"), [1.0] * 4, columns=3)
    assert found == ["███"] * 5 + ["abc"] + ["█"] * 5 + ["d"]


@given(
    st.lists(st.tuples(st.text(max_size=20), st.floats(0, 1e9)), min_size=1, max_size=30),
    st.integers(1, 80),
)
def test_bars_fit_and_are_harmless(tokens, columns):
    texts, values = zip(*tokens, strict=True)
    low, high = decades(values)
    for line in draw(texts, values, low=low, high=high, columns=columns):
        assert columns_of(line) <= max(columns, 2)  # a wide character takes two
        assert line.isprintable() or not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in line)


def test_gradients_say_what_the_bars_are(capsys, monkeypatch):
    reaches = (
        Reach(layer=1, state="hidden", norms=(0.25, 0.5), decay=0.5),
        Reach(layer=1, state="cell", norms=(1.0, 1.0), decay=1.0),
    )
    show_gradients(
        GradientsResult(target="\x1b", nll=1.5, tokens=("", "a"), texts=("", "a"), reaches=reaches)
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "layer 1, hidden: ×0.5 a step back, halves every step"
    assert lines[7] == "layer 1, cell: ×1 a step back"
    assert lines[14:] == [
        "bars: |d loss / d state| after each token, on a log scale from 1e-1 to 1e0",
        "loss: 1.500 nats, of the token that came next:",
        "'\\x1b'",
    ]


def test_a_unit_has_a_digit_under_each_token(capsys):
    found = UnitResult(layer=1, unit=7, states=(-1.0, 0.0, 0.5, 1.0, float("nan")))
    show_unit(["a", " b", "", "é", "c"], found, cell="lstm")
    assert capsys.readouterr().out == (
        "a béc\n0 59?\nlayer 1, unit 7: tanh of the cell, -1.00 to 1.00\n"
        "below: the state, from 0 for -1 to 9 for +1\n"
    )


def test_a_unit_colours_the_text(capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    found = UnitResult(layer=2, unit=1, states=(-0.9, -0.1, 0.3, 0.9))
    show_unit(["a", "b", "\x1b", "d"], found, cell="gru")
    text, what, legend = capsys.readouterr().out.splitlines()
    assert text == "\x1b[1;97;41ma\x1b[0mb\x1b[34m\\x1b\x1b[0m\x1b[1;97;44md\x1b[0m"
    assert what == "layer 2, unit 1: the hidden state, -0.90 to 0.90"
    assert legend == (
        "\x1b[1;97;41m <-0.75 \x1b[0m\x1b[30;41m <-0.5 \x1b[0m\x1b[31m <-0.25 \x1b[0m about 0 "
        "\x1b[34m ≥0.25 \x1b[0m\x1b[30;46m ≥0.5 \x1b[0m\x1b[1;97;44m ≥0.75 \x1b[0m"
    )


def gate(name, *means):
    mean = sum(means) / len(means)
    return GateResult(layer=1, gate=name, mean=mean, left=0.25, right=0.5, per_token=means)


def test_gates_have_a_row_each(capsys):
    found = [gate("reset", 0.0, 0.31, 0.99, 1.0), gate("update", 0.5, 0.5, 0.5, 0.5)]
    show_gate_table(found)
    show_gates_over(["The", " cat", "\n", "."], found)
    assert capsys.readouterr().out == (
        "layer  gate    mean  <0.1  >0.9  when open\n"
        "    1  reset   0.57   25%   50%  the old state is seen\n"
        "    1  update  0.50   25%   50%  the old state is kept\n"
        "layer 1\n"
        "  The cat↵\n"
        "r 0   3  9\n"
        "u 5   5  5\n"
        "  .\n"
        "r 9\n"
        "u 5\n"
        "below: the mean of each gate in tenths, 9 for 0.9 and more (r reset, u update)\n"
    )


def test_units_that_follow_something_are_a_table(capsys):
    match = UnitMatch(trait="digit", layer=1, unit=12, correlation=-0.5, deviation=0.25)
    show_matches(NeuronsResult(matches=(match,), absent=("inside quotes",), chance=0.125))
    assert capsys.readouterr() == (
        "it follows  layer  unit      r  spread\ndigit           1    12  -0.50    0.25\n",
        "charlm: in a text of this length |r| up to 0.12 may be chance alone\n"
        "charlm: the same at every token, so left out: inside quotes\n",
    )
    show_matches(NeuronsResult(matches=(), absent=(), chance=1.0))
    assert capsys.readouterr() == ("", "charlm: no unit follows anything here\n")
