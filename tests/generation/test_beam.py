"""Beam search finds the exact best where it can be found by trying all."""

import itertools
import math
import re

import numpy as np
import pytest

from charlm.base.errors import TaskError
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel
from charlm.engine.scoring import score_ids
from charlm.generation.beam import beam_search
from charlm.generation.sampling import SamplingConfig


def search(model, prompt=(), **options):
    names = ("decode", "masked_ids", "stop_ids")
    extra = {name: options.pop(name) for name in names if name in options}
    return beam_search(model, list(prompt), SamplingConfig(**options), **extra)


def test_a_beam_as_wide_as_all_texts_finds_the_best_of_all():
    config = LanguageModelConfig(vocab_size=4, embedding_dim=4, hidden_size=6)
    rng = np.random.default_rng(11)
    tensors = {name: rng.standard_normal(shape) for name, shape in config.tensor_shapes().items()}
    model = LanguageModel(config, tensors)
    texts = list(itertools.product(range(4), repeat=4))
    scores = [score_ids(model, np.array(text)).sum() for text in texts]
    order = np.argsort(scores)[::-1][:5]
    found = search(model, beam_size=64, max_new_tokens=4, num_samples=5)
    assert [result.ids for result in found] == [texts[i] for i in order]
    expected = [scores[i] for i in order]
    np.testing.assert_allclose([result.log_prob for result in found], expected, atol=1e-4)


def test_two_beams_find_what_greedy_misses(make_bigram):
    """a is likelier at first (0.6), but b leads to a sure c: 0.4 beats 0.6 times 0.5."""
    model = make_bigram([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.6, 0.4, 0.0]])
    (narrow,) = search(model, beam_size=1, max_new_tokens=2)
    (wide,) = search(model, beam_size=2, max_new_tokens=2)
    assert (narrow.ids, narrow.log_prob) == ((0, 0), pytest.approx(math.log(0.3)))
    assert (wide.ids, wide.log_prob) == ((1, 2), pytest.approx(math.log(0.4)))
    assert wide.score == pytest.approx(math.log(0.4) / 2)
    assert wide.stop_reason == "length"


@pytest.mark.parametrize(
    ("length_penalty", "ids"), [(0.0, (3,)), (1.0, (0, 1, 2, 0))], ids=["sum", "mean"]
)
def test_the_length_penalty_decides_between_short_and_long(make_bigram, length_penalty, ids):
    """The end d has 0.3 at once; going round a b c costs 0.7 and then almost nothing."""
    sure = [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.7, 0.0, 0.0, 0.3], [0.0, 0.0, 0.0, 1.0]]
    model = make_bigram([*sure, [0.55, 0.0, 0.0, 0.45]])
    (best,) = search(
        model, beam_size=3, max_new_tokens=4, length_penalty=length_penalty, stop_ids=[3]
    )
    assert best.ids == ids


def test_ended_texts_keep_their_end_and_say_why(bigram):
    found = search(bigram, beam_size=4, max_new_tokens=3, num_samples=4, stop_ids=[3])
    reasons = {result.ids: result.stop_reason for result in found}
    assert reasons[(0, 1, 2)] == "length"
    assert all(reason == "end" for ids, reason in reasons.items() if ids[-1] == 3)
    assert [r.score for r in found] == sorted((r.score for r in found), reverse=True)


def test_a_stop_string_ends_a_text(bigram):
    def decode(ids):
        return "".join("abcd"[i] for i in ids)

    (best,) = search(bigram, beam_size=2, max_new_tokens=9, stop=("bc",), decode=decode)
    assert (best.ids, best.stop_reason) == ((0, 1, 2), "stop")


def test_the_same_question_has_the_same_answer(bigram):
    first = search(bigram, beam_size=3, max_new_tokens=8, num_samples=3, seed=1)
    assert first == search(bigram, beam_size=3, max_new_tokens=8, num_samples=3, seed=2)


def test_of_equals_the_lower_ids_come_first(make_bigram):
    model = make_bigram(np.full((3, 2), 0.5))
    found = search(model, beam_size=4, max_new_tokens=2, num_samples=4)
    assert [result.ids for result in found] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_the_prompt_and_the_masks_count(bigram):
    (best,) = search(bigram, [0], beam_size=2, max_new_tokens=1, masked_ids=[1])
    assert (best.ids, best.log_prob) == ((2,), pytest.approx(math.log(0.2)))


def test_no_tokens_asked_for_no_results(bigram):
    assert search(bigram, beam_size=2, max_new_tokens=0) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0}, "beam_size must be at least 1 for a beam search, got 0"),
        ({"beam_size": 1, "stop": ("x",)}, "stop strings need `decode` to find them in"),
    ],
)
def test_a_search_that_cannot_be_made_is_refused(bigram, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        search(bigram, **options)


def test_everything_masked_is_an_error(bigram):
    message = "every token is masked: nothing is left to draw from"
    with pytest.raises(TaskError, match=f"^{re.escape(message)}$"):
        search(bigram, beam_size=2, masked_ids=[0, 1, 2, 3])


def test_nan_is_an_error(make_bigram):
    message = "the model gave a probability that is no number; its weights are damaged"
    with pytest.raises(TaskError, match=f"^{re.escape(message)}$"):
        search(make_bigram(np.full((3, 2), np.nan)), beam_size=2)
