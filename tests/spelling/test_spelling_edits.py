"""Which edits part a word and its spelling, and how a text tells their shares."""

import numpy as np
import pytest

from charlm.spelling.channel import Channel, classes_of, random_kinds, shipped_channel
from charlm.spelling.edits import DELETE, EDIT_KINDS, SHARES, EditShares
from charlm.spelling.lexicon import Lexicon


@pytest.mark.parametrize(
    ("word", "typed", "kind"),
    [
        ("house", "huse", 1),
        ("house", "houose", 2),
        ("house", "hoise", 3),
        ("house", "huose", 4),
        ("house", "hxise", 5),
        ("house", "hxse", 6),
        ("house", "hxouze", 7),
        ("house", "hus", 8),
        ("house", "hxouxse", 9),
    ],
)
def test_the_kind_of_an_edit_is_known_from_its_cost_and_the_lengths(word, typed, kind):
    import json

    alphabet = "abcdefghijklmnopqrstuvwxyz'"
    lexicon = Lexicon(["<unk>", "\n", "0"], [], alphabet, np.zeros(3, np.uint8))
    words, lengths = lexicon.encode([word])
    spelt, spelt_lengths = lexicon.encode([typed])
    channel = Channel(json.loads(shipped_channel()))
    _, random = channel.costs(words, lengths, spelt, spelt_lengths, classes_of(alphabet))
    assert random_kinds(random, lengths, spelt_lengths).tolist() == [kind]


def test_nothing_is_gained_before_a_text_tells():
    assert EditShares().gains().tolist() == [0.0] * EDIT_KINDS


def test_a_text_that_leaves_letters_out_makes_that_likelier():
    shares = EditShares()
    for _ in range(60):
        shares.add(DELETE + 1, 1.0)
    # 60 * 0.2 before, 60 more: 72 of 120
    expected = np.log(72 / 120 / SHARES[DELETE])
    assert shares.gains()[1] == pytest.approx(expected)
    assert shares.gains()[8] == pytest.approx(2 * expected)
    assert shares.gains()[0] == 0.0


def test_two_edits_and_none_are_not_counted():
    shares = EditShares()
    shares.add(0, 1.0)
    shares.add(5, 1.0)
    assert shares.gains().tolist() == [0.0] * EDIT_KINDS
