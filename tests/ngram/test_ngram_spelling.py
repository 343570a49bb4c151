"""Prices of spellings."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.ngram.spelling import CODE_POINTS, SpellingModel


def test_a_price_is_that_of_the_definition():
    """Order 1: each character and the end by count, as many kinds kept for what is unseen."""
    model = SpellingModel(["aab"], order=1)
    uniform = 1.0 / (CODE_POINTS + 1)
    a, end = (2 + 3 * uniform) / 7, (1 + 3 * uniform) / 7
    assert model.log_prob("a") == pytest.approx(math.log(a) + math.log(end))
    assert model.log_prob("z") == pytest.approx(math.log(3 * uniform / 7) + math.log(end))


def test_what_looks_like_a_word_is_cheaper():
    model = SpellingModel(["walking", "talking", "walked", "talked", "looking"])
    assert model.log_prob("looked") > model.log_prob("dekool")


@given(st.text(max_size=12))
def test_every_word_has_a_price(word):
    assert -400.0 * (len(word) + 1) < SpellingModel(["abc", "été"]).log_prob(word) < 0.0


def test_no_words_price_all_alike():
    assert SpellingModel([]).log_prob("ab") == pytest.approx(-3 * math.log(CODE_POINTS + 1))
