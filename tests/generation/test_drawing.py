"""Draws: the right frequencies, exact edges, streams of their own, errors that say why."""

import re

import numpy as np
import pytest

from charlm.base.errors import TaskError
from charlm.generation.drawing import Sampler, Uniforms, argmax, draw
from charlm.generation.logits import scale_temperature, softmax
from charlm.generation.sampling import SamplingConfig

NONE = [[]]


def draws(config, logits, count, masked=()):
    sampler, stream = Sampler(config, masked), Uniforms(config.seed, 0)
    rows = np.asarray(logits)[None]
    return np.array([sampler.pick(rows, [stream], NONE)[0] for _ in range(count)])


def test_frequencies_are_the_probabilities():
    """Chi-square with 7 degrees of freedom: 24.3 is passed once in a thousand seeds."""
    probs = np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.08, 0.05, 0.02])
    found = draws(SamplingConfig(seed=1, temperature=1.0), np.log(probs), 40_000)
    expected = 40_000 * probs
    counts = np.bincount(found, minlength=8)
    assert ((counts - expected) ** 2 / expected).sum() < 24.3


def test_frequencies_follow_temperature_and_filters():
    logits = np.log([0.5, 0.3, 0.15, 0.05])
    config = SamplingConfig(seed=2, temperature=0.5, top_k=3)
    counts = np.bincount(draws(config, logits, 30_000), minlength=4)
    weights = np.array([0.25, 0.09, 0.0225, 0.0])
    np.testing.assert_allclose(counts / 30_000, weights / weights.sum(), atol=0.01)
    assert counts[3] == 0


@pytest.mark.parametrize(
    ("uniform", "token"), [(0.0, 0), (0.2499, 0), (0.25, 1), (0.7499, 1), (0.75, 2), (0.9999, 2)]
)
def test_a_draw_is_the_token_whose_stretch_holds_the_number(uniform, token):
    logits = np.array([0.0, np.log(2.0), 0.0])
    assert draw(logits, uniform) == token


@pytest.mark.parametrize("uniform", [0.0, 0.5, np.nextafter(1.0, 0.0)])
def test_a_masked_token_is_never_drawn_not_even_at_the_edges(uniform):
    logits = np.array([-np.inf, 0.0, -np.inf, 0.0, -np.inf])
    assert draw(logits, uniform) in (1, 3)


def test_the_fast_way_with_a_temperature_has_the_bits_of_the_transform():
    rng = np.random.default_rng(0)
    for _ in range(50):
        logits = (5 * rng.standard_normal(65)).astype(np.float32)
        uniform, temperature = rng.random(), 0.1 + rng.random()
        fast = draw(logits, uniform, np.array(temperature))
        assert fast == draw(scale_temperature(logits, temperature), uniform)


def test_the_order_is_temperature_before_the_filters():
    """At temperature 2 the nucleus of 0.75 needs both tokens; before it, one would do."""
    logits = np.log([0.8, 0.2])
    assert softmax(logits / 2)[0] == pytest.approx(2 / 3)
    found = draws(SamplingConfig(seed=0, temperature=2.0, top_p=0.75), logits, 200)
    assert set(found.tolist()) == {0, 1}


def test_masks_come_before_the_filters():
    found = draws(SamplingConfig(seed=0, top_k=1), np.log([0.6, 0.3, 0.1]), 50, masked=[0])
    assert set(found.tolist()) == {1}


def test_temperature_zero_takes_the_likeliest_and_draws_nothing():
    sampler, stream = Sampler(SamplingConfig(temperature=0.0)), Uniforms(3, 0)
    assert sampler.pick(np.array([[0.1, 2.0, 2.0]]), [stream], NONE) == [1]
    assert stream.next() == Uniforms(3, 0).next()


def test_streams_are_told_apart_by_seed_and_sample():
    firsts = {Uniforms(seed, sample).next() for seed in range(5) for sample in range(5)}
    assert len(firsts) == 25


def test_a_stream_is_reproducible_beyond_its_first_block():
    one, two = Uniforms(4, 2), Uniforms(4, 2)
    numbers = [one.next() for _ in range(1_000)]
    assert numbers == [two.next() for _ in range(1_000)]
    assert len(set(numbers)) == 1_000
    assert all(0.0 <= number < 1.0 for number in numbers)


def test_without_a_seed_streams_differ():
    assert Uniforms(None, 0).next() != Uniforms(None, 0).next()


DAMAGED = "the model gave a probability that is no number; its weights are damaged"
MASKED = "every token is masked: nothing is left to draw from"


@pytest.mark.parametrize("temperature", [0.0, 0.8, 1.0])
@pytest.mark.parametrize("top_p", [1.0, 0.9])
@pytest.mark.parametrize(
    ("logits", "masked", "message"),
    [
        ([0.0, np.nan, 1.0], [], DAMAGED),
        ([0.0, np.inf, 1.0], [], DAMAGED),
        ([0.0, 1.0, 2.0], [0, 1, 2], MASKED),
    ],
)
def test_logits_that_allow_no_draw_are_an_error(logits, masked, message, temperature, top_p):
    config = SamplingConfig(seed=0, temperature=temperature, top_p=top_p)
    with pytest.raises(TaskError, match=f"^{re.escape(message)}$"):
        draws(config, logits, 1, masked)


@pytest.mark.parametrize("penalty", [1e-300, 1e300])
def test_filters_and_penalties_never_mask_everything(penalty):
    config = SamplingConfig(
        seed=0, temperature=1e-300, top_k=1, top_p=1e-9, min_p=1.0, repetition_penalty=penalty
    )
    sampler = Sampler(config)
    logits = np.array([[1.0, -1.0, 0.5]], dtype=np.float32)
    assert sampler.pick(logits, [Uniforms(0, 0)], [[0, 1, 2]])[0] in (0, 1, 2)


def test_argmax_takes_the_lowest_of_equals():
    assert argmax(np.array([1.0, 2.0, 2.0])) == 1
