"""Hashed parts of words: which there are, and that they are the same everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import ConfigError
from charlm.text import subwords
from charlm.text.subwords import SubwordConfig, subword_ids


def test_a_word_has_itself_its_shape_its_ends_and_its_ngrams():
    config = SubwordConfig(affixes=2, min_ngram=3, max_ngram=4)
    assert list(subwords._parts("Cats", config)) == [
        *("wcats", "sXx", "pc", "es", "pca", "ets"),
        *("n<ca", "ncat", "nats", "nts>", "n<cat", "ncats", "nats>"),
    ]


def test_ids_are_fixed_for_ever():
    assert subword_ids("I", SubwordConfig()) == [9266, 8460, 13045, 5345, 3741]


@given(st.text(max_size=200), st.integers(2, 1000))
def test_any_text_has_at_least_two_parts_all_in_range(word, buckets):
    ids = subword_ids(word, SubwordConfig(buckets=buckets))
    assert len(ids) >= 2
    assert all(0 <= bucket < buckets for bucket in ids)
    assert len(ids) < 180


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="buckets must be at least 2, got 1"):
        SubwordConfig(buckets=1)
