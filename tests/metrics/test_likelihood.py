from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from charlm.metrics.likelihood import Likelihood, perplexity, surprisal


def test_figures_equal_those_computed_by_hand():
    """Four tokens at probability 1/8, for six characters: 12 bits in all."""
    found = Likelihood(nll_nats=4 * math.log(8), tokens=4, chars=6)
    assert found.nats_per_token == pytest.approx(2.0794415416798357, rel=1e-15)
    assert found.bits_per_token == pytest.approx(3.0, rel=1e-15)
    assert found.perplexity == pytest.approx(8.0, rel=1e-14)
    assert found.bits_per_char == pytest.approx(2.0, rel=1e-15)
    assert found.log_prob == -found.nll_nats


@given(st.integers(1, 10**6), st.integers(2, 10**6))
def test_a_uniform_model_has_the_perplexity_of_its_vocabulary(tokens, vocab_size):
    found = Likelihood(nll_nats=tokens * math.log(vocab_size), tokens=tokens, chars=tokens)
    assert found.perplexity == pytest.approx(vocab_size, rel=1e-9)
    assert found.bits_per_char == pytest.approx(math.log2(vocab_size), rel=1e-9)


def test_parts_add_up():
    whole = Likelihood(nll_nats=1.5, tokens=2, chars=3) + Likelihood(
        nll_nats=0.5, tokens=1, chars=2
    )
    assert whole == Likelihood(nll_nats=2.0, tokens=3, chars=5)


def test_an_empty_text_has_no_mean():
    empty = Likelihood(nll_nats=0.0, tokens=0, chars=0)
    assert str(empty.log_prob) == "0.0"
    for figure in (empty.nats_per_token, empty.perplexity, empty.bits_per_char):
        assert math.isnan(figure)


def test_a_hopeless_model_is_infinitely_perplexed_not_an_error():
    assert perplexity(710.0) == math.inf
    assert perplexity(math.inf) == math.inf
    assert Likelihood(nll_nats=math.inf, tokens=1, chars=1).bits_per_char == math.inf


def test_surprisal_is_in_bits():
    assert surprisal(math.log(0.125)) == pytest.approx(3.0, rel=1e-15)
    assert str(surprisal(0.0)) == "0.0"


def test_counts_below_zero_are_a_callers_mistake():
    with pytest.raises(ValueError, match=r"^counts must be 0 or more, got -1 and 2$"):
        Likelihood(nll_nats=1.0, tokens=-1, chars=2)
