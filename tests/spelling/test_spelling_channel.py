"""Learning how words are misspelt, and what a misspelling costs."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import CheckpointError
from charlm.spelling.channel import Channel, classes_of, mix, parse_channel, shipped_channel
from charlm.spelling.learning import align, learn_channel
from charlm.spelling.lexicon import Lexicon

ALPHABET = "abcdefghijklmnopqrstuvwxyz'ß"
LEXICON = Lexicon(["<unk>", "\n", "0"], [], ALPHABET, np.zeros(3, np.uint8))
SHIPPED = parse_channel(shipped_channel(), "the shipped table")


def cost(channel, word, typed):
    codes, lengths = LEXICON.encode([word])
    other, other_lengths = LEXICON.encode([typed])
    found = channel.costs(codes, lengths, other, other_lengths, classes_of(ALPHABET), band=3)
    return float(mix(*found, 0.25)[0])


@pytest.mark.parametrize(
    ("word", "typed", "steps"),
    [
        ("the", "teh", [("t", "t"), ("he", "eh")]),
        ("too", "to", [("t", "t"), ("o", ""), ("o", "o")]),
        ("to", "too", [("t", "t"), ("", "o"), ("o", "o")]),
        ("cat", "cot", [("c", "c"), ("a", "o"), ("t", "t")]),
    ],
)
def test_words_are_aligned_by_the_fewest_steps(word, typed, steps):
    assert align(word, typed) == steps


@given(st.text("abcd", max_size=8), st.text("abcd", max_size=8))
def test_the_steps_of_an_alignment_spell_both_words(word, typed):
    steps = align(word, typed)
    assert "".join(meant for meant, _ in steps) == word
    assert "".join(found for _, found in steps) == typed


def test_an_edit_seen_often_costs_less_than_one_never_seen():
    channel = Channel(learn_channel([("phone", "fone"), ("phase", "fase"), ("graph", "graf")] * 5))
    assert cost(channel, "photo", "foto") < cost(channel, "photo", "wroto") - 3


def test_a_random_edit_has_a_floor_that_no_table_lowers():
    """0.25 of misspellings are random, 0.4 of those replace one of 5 letters by one of 26."""
    table = learn_channel([("abc", "abd")])
    for name in ("replace", "delete", "insert", "exchange"):
        table[name] = {}
        table["default"][name] = 50.0
    table["rules"] = []
    expected = -math.log(0.25 * 0.4 / (5 * 26))
    assert cost(Channel(table), "hello", "hezlo") == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("word", "likely", "unlikely"),
    [
        ("receive", "recieve", "rzceive"),
        ("accommodate", "accomodate", "accommodte"),
        ("separate", "seperate", "sepurate"),
        ("believe", "beleive", "bvlieve"),
    ],
)
def test_the_shipped_table_knows_how_people_misspell(word, likely, unlikely):
    assert cost(SHIPPED, word, likely) < cost(SHIPPED, word, unlikely)


def test_a_letter_of_no_class_of_its_own_is_compared_exactly():
    assert cost(SHIPPED, "straße", "strasse") > cost(SHIPPED, "straße", "straß")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"default": 3}',
        json.dumps({"rules": [["abcd", "", 1]]}).encode(),
    ],
)
def test_what_is_no_table_is_refused(data):
    with pytest.raises(CheckpointError, match="x: no table of misspellings"):
        parse_channel(data, "x")
