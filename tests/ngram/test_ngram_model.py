"""Lookup: every way to ask a model gives the same probabilities, and they sum to one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import charlm.ngram.model as model_module
from charlm.base.errors import CheckpointError, ConfigError
from charlm.generation.generate import generate
from charlm.generation.sampling import SamplingConfig
from charlm.ngram.config import NgramConfig, describe
from charlm.ngram.kneser_ney import build_ngram
from charlm.ngram.model import NgramModel

VOCAB = 5
ids_lists = st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=40)


def build(order=3, line_end_id=None, seed=0, length=200):
    ids = np.random.default_rng(seed).integers(0, VOCAB - 1, length)  # the last is never seen
    return build_ngram(ids, vocab_size=VOCAB, order=order, line_end_id=line_end_id)


@pytest.mark.parametrize("order", range(1, 7))
@pytest.mark.parametrize("line_end_id", [None, 0])
def test_probabilities_sum_to_one_after_every_context(order, line_end_id):
    model = build(order, line_end_id, length=30)
    contexts = list(itertools.product(range(VOCAB), repeat=min(order, 4)))
    rows = np.array([(model.bos_id, *context) for context in contexts])
    log_probs, _ = model.read(rows, model.initial_state(len(rows)))
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=-1), 1.0, atol=1e-5)


@settings(deadline=None, max_examples=50)
@given(ids_lists, ids_lists, st.integers(1, 6), st.sampled_from([None, 0]))
def test_read_step_and_score_agree(text, other, order, line_end_id):
    model = build_ngram(np.array(text), vocab_size=VOCAB, order=order, line_end_id=line_end_id)
    inputs = np.array([[model.bos_id, *other[:-1]]])
    whole, last = model.read(inputs, model.initial_state(1))
    state = model.initial_state(1)
    for t, token in enumerate(inputs[0]):
        one, state = model.step(np.array([token]), state)
        np.testing.assert_array_equal(one, whole[:, t])
    np.testing.assert_array_equal(state, last)
    picked = whole[0, np.arange(len(other)), other]
    np.testing.assert_allclose(model.score_ids(np.array(other)), picked, atol=1e-5)
    np.testing.assert_array_equal(model.log_probs(inputs, model.initial_state(1))[0], whole)


def test_rows_of_a_batch_are_independent_and_select_moves_them():
    model = build(4)
    rows = np.array([[5, 1, 2], [3, 3, 3], [0, 4, 1]])
    _, state = model.read(rows, model.initial_state(3))
    step, _ = model.step(np.array([1, 2, 3]), state)
    for row in (2, 0):
        _, own = model.read(rows[[row]], model.initial_state(1))
        np.testing.assert_array_equal(own, model.select(state, np.array([row])))
        np.testing.assert_array_equal(model.step(np.array([row + 1]), own)[0][0], step[row])


def test_no_ids_leave_the_state_as_it_is():
    model = build(3)
    _, state = model.step(np.array([1]), model.initial_state(1))
    logits, after = model.read(np.empty((1, 0), dtype=int), state)
    assert logits.shape == (1, 0, VOCAB)
    np.testing.assert_array_equal(after, state)
    assert model.score_ids(np.empty(0, dtype=int)).shape == (0,)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_a_long_text_scores_the_same_in_chunks(monkeypatch, chunk):
    model, ids = build(4, line_end_id=0), np.random.default_rng(1).integers(0, VOCAB, 100)
    whole = model.score_ids(ids)
    monkeypatch.setattr(model_module, "CHUNK", chunk)
    np.testing.assert_array_equal(model.score_ids(ids), whole)


def test_scores_go_on_from_a_state():
    model, ids = build(3), np.random.default_rng(1).integers(0, VOCAB, 50)
    inputs = np.concatenate([[model.bos_id], ids[:19]])[None]
    _, state = model.read(inputs, model.initial_state(1))
    rest = model.score_ids(ids[20:], state=state, previous=int(ids[19]))
    np.testing.assert_array_equal(rest, model.score_ids(ids)[20:])


def test_later_tokens_do_not_change_earlier_scores():
    model = build(5)
    one, two = model.score_ids(np.array([1, 2, 3, 0])), model.score_ids(np.array([1, 2, 3, 3]))
    np.testing.assert_array_equal(one[:3], two[:3])


def test_drawn_tokens_have_the_frequencies_of_the_model():
    model = build(2)
    config = SamplingConfig(max_new_tokens=1, num_samples=2000, seed=3)
    drawn = [token.id for token in generate(model, [1], config)]
    _, state = model.read(np.array([[model.bos_id]]), model.initial_state(1))
    expected = np.exp(model.step(np.array([1]), state)[0][0])
    found = np.bincount(drawn, minlength=VOCAB) / 2000
    np.testing.assert_allclose(found, expected, atol=0.04)


def test_parameters_are_the_probabilities_and_the_weights():
    model = build(2, length=4)
    assert model.parameters == VOCAB + (VOCAB + 1) + len(model.tensors["keys.2"])
    assert describe(model.config) == f"2-gram, {sum(model.config.ngrams)} n-grams"


def test_arrays_that_do_not_fit_the_config_are_named():
    model = build(2, length=4)
    count = model.config.ngrams[1]
    arrays = dict(model.tensors) | {"extra": np.zeros(1)}
    del arrays["backoff.1"]
    arrays["log_prob.2"] = arrays["log_prob.2"].astype(np.float64)
    with pytest.raises(CheckpointError) as caught:
        NgramModel(model.config, arrays)
    assert str(caught.value) == (
        "the arrays do not fit the config: unknown extra; missing backoff.1; "
        f"log_prob.2 is float64 ({count},), expected float32 ({count},)"
    )


def test_an_unsorted_array_is_found_when_it_is_met():
    model = build(2)
    keys = model.tensors["keys.2"].copy()
    keys[3] = -(10**12)
    broken = NgramModel(model.config, dict(model.tensors) | {"keys.2": keys})
    with pytest.raises(CheckpointError) as caught:
        broken.read(np.arange(VOCAB)[None], broken.initial_state(1))
    assert str(caught.value) == (
        "array keys.2 of the n-gram model is not sorted: it is damaged; train it again"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"order": 0, "ngrams": ()}, "order must be at least 1, got 0"),
        ({"ngrams": (5,)}, "ngrams must be 2 counts, the first 5, got (5,)"),
        ({"ngrams": (4, 9)}, "ngrams must be 2 counts, the first 5, got (4, 9)"),
        ({"ngrams": (5, -1)}, "ngrams must be whole numbers, got (5, -1)"),
        ({"ngrams": (5, 2**61)}, f"ngrams are too many, got (5, {2**61})"),
        ({"line_end_id": 5}, "line_end_id must be less than 5, got 5"),
    ],
)
def test_a_config_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ConfigError) as caught:
        NgramConfig(**{"order": 2, "vocab_size": 5, "ngrams": (5, 9)} | fields)
    assert str(caught.value) == message
