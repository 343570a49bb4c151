"""Pruned n-grams still add up to one; the hash table gives the same probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.ngram.kneser_ney import build_ngram
from charlm.ngram.probing import STEPS, ProbingModel, pack

END = 1
texts = st.lists(st.integers(0, 5), min_size=1, max_size=80)


def probing(model):
    arrays, reach = pack(model)
    return ProbingModel(arrays, order=model.config.order, vocab_size=model.vocab_size, reach=reach)


@settings(deadline=None)
@given(texts, st.lists(st.integers(1, 3), min_size=0, max_size=3), st.integers(2, 4))
def test_what_is_pruned_leaves_its_mass_to_shorter_contexts(ids, min_counts, order):
    model = build_ngram(
        np.array(ids), vocab_size=6, order=order, line_end_id=END, min_counts=min_counts
    )
    state = model.initial_state(1)
    for token in [model.bos_id, *ids[:10]]:
        log_probs, state = model.step(np.array([token]), state)
        assert np.exp(log_probs.astype(float)).sum() == pytest.approx(1.0, abs=1e-5)


def test_only_ngrams_seen_often_enough_are_kept_with_their_beginnings_and_ends():
    # `2 3 4` comes twice, each time after another word; `4 5` once
    ids = np.array([2, 3, 4, 5, 2, 3, 4, 3])
    model = build_ngram(ids, vocab_size=6, order=3, min_counts=(2, 2))
    kept = {
        length: {(int(key) // 7, int(key) % 7) for key in model.tensors[f"keys.{length}"]}
        for length in (2, 3)
    }
    assert kept[2] == {(2, 3), (3, 4)}
    assert len(kept[3]) == 1


@settings(deadline=None)
@given(texts, st.integers(1, 4))
def test_rows_score_as_the_model_does(ids, order):
    model = build_ngram(np.array(ids), vocab_size=6, order=order, line_end_id=END)
    row = [model.bos_id]
    for token in ids:
        row += [token, model.bos_id] if token == END else [token]
    row = np.array(row, dtype=np.int32)
    scores = probing(model).score_rows(row[None])[0]
    own = scores[row != model.bos_id]
    np.testing.assert_allclose(own, model.score_ids(np.array(ids)), atol=order / STEPS)
    assert (scores[row == model.bos_id] == 0).all()


def test_pairs_score_as_rows_do_without_more_context():
    model = build_ngram(np.array([0, 2, 3, 2, 4, 1, 2, 3]), vocab_size=5, order=2, line_end_id=END)
    table = probing(model)
    first, second = np.array([2, 2, 3, 4]), np.array([3, 0, 2, 4])
    rows = np.stack([first, second], axis=1).astype(np.int32)
    np.testing.assert_allclose(
        table.score_pairs(first, second), table.score_rows(rows)[:, 1], atol=1e-6
    )
    assert table.has_pairs(first, second).tolist() == [True, False, True, False]
