"""Scores are exact: by hand, whole against segments, alone against a batch."""

import itertools
import math
import re

import numpy as np
import pytest

from charlm.engine import scoring
from charlm.engine.language_model import LanguageModel
from charlm.engine.scoring import evaluate_ids, score_batch, score_ids


@pytest.fixture
def ids():
    return np.random.default_rng(2).integers(0, 11, 3_001)


def sequential(textbook, config, tensors, ids):
    inputs = np.concatenate([[config.bos_id], ids[:-1]])[None]
    logits = textbook(config, tensors, inputs)[0]
    norms = np.log(np.exp(logits).sum(axis=-1))
    return logits[np.arange(len(ids)), ids] - norms


def test_scores_equal_the_chain_rule_from_the_beginning_of_text(make_model, textbook, ids):
    config, tensors, model = make_model(num_layers=2)
    expected = sequential(textbook, config, tensors, ids[:300])
    np.testing.assert_allclose(score_ids(model, ids[:300]), expected, atol=2e-5)


def test_a_uniform_model_gives_each_token_one_part_in_vocab_size(make_model):
    config, tensors, _ = make_model()
    zeros = {name: np.zeros_like(tensor) for name, tensor in tensors.items()}
    nll, tokens = evaluate_ids(LanguageModel(config, zeros), np.arange(11), segments=3)
    assert (round(nll / tokens, 6), tokens) == (round(math.log(11), 6), 11)


def test_scoring_goes_on_from_a_state(make_model, ids):
    _, _, model = make_model()
    whole = score_ids(model, ids[:50])
    state = model.initial_state(1)
    model.read(np.concatenate([[model.bos_id], ids[:29]])[None], state)
    rest = score_ids(model, ids[30:50], state=state, previous=int(ids[29]))
    np.testing.assert_allclose(rest, whole[30:], atol=2e-6)


def test_no_tokens_have_no_scores(make_model):
    _, _, model = make_model()
    assert score_ids(model, np.array([], dtype=np.int64)).tolist() == []


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("segments", [1, 2, 7, 23, None])
def test_segments_side_by_side_equal_the_text_in_sequence(make_model, ids, cell, segments):
    _, _, model = make_model(cell=cell, num_layers=2, scale=0.3)
    expected = -score_ids(model, ids).sum()
    nll, tokens = evaluate_ids(model, ids, segments=segments)
    assert tokens == 3_001
    assert nll == pytest.approx(expected, rel=1e-6)


def long_memory(make_model):
    """A model that forgets nothing for thousands of tokens: segments must wait for each other."""
    config, tensors, _ = make_model(hidden_size=16, scale=0.6)
    tensors["layers.0.bias"][16:32] += 8.0
    return LanguageModel(config, tensors)


def test_a_long_memory_takes_more_passes_and_is_still_exact(make_model, ids, monkeypatch):
    model = long_memory(make_model)
    passes = []
    run = scoring._Text.run
    monkeypatch.setattr(
        scoring._Text,
        "run",
        lambda self, rows, starts: (passes.append(len(rows)), run(self, rows, starts)),
    )
    nll, _ = evaluate_ids(model, ids, segments=8)
    assert nll == pytest.approx(-score_ids(model, ids).sum(), rel=1e-6)
    assert passes[0] == 8
    assert len(passes) >= 4
    assert passes == sorted(passes, reverse=True)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_what_does_not_settle_is_read_in_turn_once(make_model, monkeypatch, most):
    """A text that repeats itself may be forgotten never; it costs no more than a few readings."""
    model = long_memory(make_model)
    ids = np.tile([1, 2], 1_500)
    monkeypatch.setattr(scoring, "MOST_PASSES", most)
    read = []
    run = scoring._Text.run
    monkeypatch.setattr(
        scoring._Text,
        "run",
        lambda self, rows, starts: (read.extend(rows), run(self, rows, starts)),
    )
    nll, _ = evaluate_ids(model, ids, segments=8)
    assert nll == pytest.approx(-score_ids(model, ids).sum(), rel=1e-6)
    assert len(read) <= 8 * (most + 1)
    assert read[8 * most :] == sorted(read[8 * most :])


def test_of_a_very_long_text_a_start_is_followed_as_far_as_it_changes_scores(
    make_model, ids, monkeypatch
):
    monkeypatch.setattr(scoring, "LONGEST_IN_TURN", 0)
    model = long_memory(make_model)
    nll, _ = evaluate_ids(model, ids, segments=8)
    assert nll == pytest.approx(-score_ids(model, ids).sum(), rel=1e-6)
    passes = []
    run = scoring._Text.run
    monkeypatch.setattr(
        scoring._Text,
        "run",
        lambda self, rows, starts: (passes.append(len(rows)), run(self, rows, starts)),
    )
    monkeypatch.setattr(scoring._Text, "totals", lambda self, rows: np.ones(len(rows)))
    evaluate_ids(model, ids, segments=8)
    assert len(passes) == 2  # as if no score had changed


def test_one_pass_alone_would_be_wrong_for_a_long_memory(make_model, ids, monkeypatch):
    """Else the test above could not fail."""
    model = long_memory(make_model)
    monkeypatch.setattr(scoring, "TOLERANCE", 1e30)
    nll, _ = evaluate_ids(model, ids, segments=8)
    assert nll != pytest.approx(-score_ids(model, ids).sum(), rel=1e-4)


def test_a_text_in_blocks_scores_as_the_whole(make_model, ids, monkeypatch):
    _, _, model = make_model(num_layers=2, scale=0.3)
    whole = score_ids(model, ids)
    reader = scoring.TextReader(model)
    edges = [0, 1, 1, 900, 901, 3_001]
    blocks = [ids[start:stop] for start, stop in itertools.pairwise(edges)]
    found = np.concatenate([reader.score(block) for block in blocks])
    np.testing.assert_allclose(found, whole, atol=2e-5)
    monkeypatch.setattr(scoring, "BLOCK_TOKENS", 700)
    assert evaluate_ids(model, ids) == (pytest.approx(-whole.sum(), rel=1e-6), 3_001)


def test_logits_are_kept_for_a_bounded_number_of_tokens(make_model, ids, monkeypatch):
    _, _, model = make_model()
    expected = score_ids(model, ids[:200])
    sizes = []
    read = model.read
    monkeypatch.setattr(model, "read", lambda i, s: (sizes.append(i.size), read(i, s))[1])
    monkeypatch.setattr(scoring, "CHUNK_BYTES", 4 * 32 * 16)  # 16 tokens of 4 gates times 8
    np.testing.assert_allclose(score_ids(model, ids[:200]), expected, atol=2e-6)
    assert max(sizes) == 16


def test_texts_in_a_batch_score_as_each_does_alone_and_keep_their_order(make_model, ids):
    _, _, model = make_model(num_layers=2)
    texts = [ids[start : start + length] for start, length in enumerate((5, 0, 30, 1, 30, 17))]
    found = score_batch(model, texts, batch_size=3)
    assert [len(scores) for scores in found] == [5, 0, 30, 1, 30, 17]
    for text, scores in zip(texts, found, strict=True):
        np.testing.assert_allclose(scores, score_ids(model, text), atol=2e-6)


def test_no_texts_have_no_scores(make_model):
    assert score_batch(make_model()[2], []) == []


@pytest.mark.parametrize(
    ("length", "segments", "message"),
    [
        (0, None, "there is no token to evaluate"),
        (5, 6, "segments must be between 1 and 5, got 6"),
        (5, 0, "segments must be between 1 and 5, got 0"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(make_model, length, segments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        evaluate_ids(make_model()[2], np.zeros(length, dtype=np.int64), segments=segments)
