"""Smoothing: by hand on six tokens, by a slow implementation of the equations on any text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.ngram.kneser_ney import build_ngram, estimate_discounts
from tests.ngram.reference import reference_of

A, B, C, D = range(4)


def test_a_bigram_model_by_hand():
    """The text is `a b a b a c` of the vocabulary a, b, c, d, too short to estimate discounts.

    Each of a, b, c follows one token: p(a) = (1 - 0.5) / 3 + (1.5 / 3) / 4 = 7/24, and d, never
    seen, has (1.5 / 3) / 4 = 3/24. After a come b twice and c once: p(b | a) = (2 - 1) / 3 +
    (1.5 / 3) p(b). Only a follows the beginning: p(a | <s>) = (1 - 0.5) / 1 + 0.5 p(a).
    """
    model = build_ngram(np.array([A, B, A, B, A, C]), vocab_size=4, order=2)
    seven, three = 7 / 24, 3 / 24
    after = {
        model.bos_id: [0.5 + 0.5 * seven, 0.5 * seven, 0.5 * seven, 0.5 * three],
        A: [0.5 * seven, 1 / 3 + 0.5 * seven, 0.5 / 3 + 0.5 * seven, 0.5 * three],
        B: [0.5 + 0.5 * seven, 0.5 * seven, 0.5 * seven, 0.5 * three],
        C: [seven, seven, seven, three],
    }
    for token, expected in after.items():
        log_probs, _ = model.step(np.array([token]), model.initial_state(1))
        np.testing.assert_allclose(np.exp(log_probs[0]), expected, rtol=1e-6)


def test_lines_of_their_own_count_their_beginning_as_a_context():
    """Lines `a <e>` and `b <e>`: p(a) = 1/4 counts, since `<s> a` is one of four n-grams."""
    end = C
    model = build_ngram(np.array([A, end, B, end]), vocab_size=3, order=2, line_end_id=end)
    # a follows <s>, b follows <s>, <e> follows a and b: 1, 1, 2 of 4; D(1) = 0.5, D(2) = 1
    unigrams = np.array([0.5, 0.5, 1.0]) / 4 + (2.0 / 4) / 3
    np.testing.assert_allclose(np.exp(model.tensors["log_prob.1"]), unigrams, rtol=1e-6)
    after_end, _ = model.step(np.array([end]), model.initial_state(1))
    at_start, _ = model.step(np.array([model.bos_id]), model.initial_state(1))
    np.testing.assert_array_equal(after_end, at_start)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([1] * 8 + [2] * 4 + [3] * 2 + [4], [0, 0.5, 1.25, 2.0]),
        ([1, 1, 2, 2], [0, 0.5, 1.0, 1.5]),  # no 3
        ([1] * 8 + [2] * 2 + [3] * 4 + [4], [0, 0.5, 1.0, 1.5]),  # D(2) = 2 - 4 is negative
        ([], [0, 0.5, 1.0, 1.5]),
    ],
)
def test_discounts_follow_the_counts_of_counts_or_fall_back(counts, expected):
    np.testing.assert_allclose(estimate_discounts(np.array(counts, dtype=int)), expected)


texts = st.integers(1, 6).flatmap(
    lambda vocab: st.tuples(
        st.just(vocab), st.lists(st.integers(0, vocab - 1), min_size=1, max_size=60)
    )
)


@settings(deadline=None, max_examples=80)
@given(texts, st.integers(1, 6), st.sampled_from(["one", "lines", "apart"]), st.data())
def test_any_text_has_the_probabilities_of_the_equations(text, order, mode, data):
    vocab, ids = text
    line_end_id = 0 if mode == "apart" else None
    line_ends = np.arange(vocab) == 0 if mode == "lines" else None
    model = build_ngram(
        np.array(ids), vocab_size=vocab, order=order, line_ends=line_ends, line_end_id=line_end_id
    )
    slow = reference_of(ids, order, vocab, line_end_id, [0] if mode == "lines" else [])
    other = data.draw(st.lists(st.integers(0, vocab - 1), min_size=1, max_size=20))
    for tokens in (ids, other):
        expected = slow.log_probs(tokens, line_end_id)
        np.testing.assert_allclose(model.score_ids(np.array(tokens)), expected, atol=1e-5)


def test_discounts_that_are_estimated_give_the_probabilities_of_the_equations():
    """A longer text of uneven tokens, so that no order falls back."""
    rng = np.random.default_rng(0)
    ids = np.minimum(rng.geometric(0.25, 3000) - 1, 19)
    model = build_ngram(ids, vocab_size=20, order=3, line_end_id=0)
    slow = reference_of(ids.tolist(), 3, 20, 0)
    assert all(d != [0, 0.5, 1.0, 1.5] for d in slow.discounts[1:])
    other = rng.integers(0, 20, 60).tolist()
    np.testing.assert_allclose(
        model.score_ids(np.array(other)), slow.log_probs(other, 0), atol=1e-5
    )


@pytest.mark.parametrize("ids", [[], [-1], [3]])
def test_ids_outside_the_vocabulary_are_refused(ids):
    with pytest.raises(ValueError, match="ids must be at least one token from 0 to 2"):
        build_ngram(np.array(ids, dtype=int), vocab_size=3)
