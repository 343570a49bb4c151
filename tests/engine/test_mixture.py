"""Mixtures are what their definition says, whole and step by step, and their weights fit."""

import re

import numpy as np
import pytest

from charlm.engine.language_model import log_softmax
from charlm.engine.mixture import Mixture, fit_weights, mix, scale_weights


@pytest.fixture
def parts(make_model):
    return make_model(seed=1)[2], make_model(seed=2, cell="gru")[2]


def test_a_mixture_is_the_weighted_sum_of_probabilities(parts):
    ids = np.random.default_rng(0).integers(0, 11, (2, 9))
    mixture = Mixture(parts, [3, 1])
    found, _ = mixture.read(ids, mixture.initial_state(2))
    tables = [np.exp(one.log_probs(ids, one.initial_state(2))[0]) for one in parts]
    np.testing.assert_allclose(np.exp(found), 0.75 * tables[0] + 0.25 * tables[1], rtol=1e-5)
    np.testing.assert_allclose(np.exp(found).sum(axis=-1), 1.0, rtol=1e-5)


def test_steps_equal_one_reading_and_states_are_selected(parts):
    ids = np.random.default_rng(0).integers(0, 11, (2, 9))
    mixture = Mixture(parts, [0.5, 0.5])
    whole, _ = mixture.read(ids, mixture.initial_state(2))
    state = mixture.initial_state(2)
    for t in range(9):
        logits, state = mixture.step(ids[:, t], state)
        np.testing.assert_allclose(log_softmax(logits), whole[:, t], atol=1e-5)
    swapped = mixture.select(state, np.array([1, 0]))
    after, _ = mixture.step(np.array([3, 4]), mixture.select(swapped, np.array([1, 0])))
    expected, _ = mixture.step(np.array([3, 4]), state)
    np.testing.assert_allclose(after, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "2 models need 2 weights, got 1"),
        ([1.0, 0.0], "weights of a mixture must be more than 0, got 1, 0"),
        ([1.0, float("nan")], "weights of a mixture must be more than 0, got 1, nan"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        scale_weights(weights, 2)


def test_models_of_other_sizes_are_refused(make_model):
    models = [make_model()[2], make_model(vocab_size=12)[2]]
    with pytest.raises(ValueError, match=r"^models of a mixture need one vocabulary, got sizes 11"):
        Mixture(models, [1, 1])


def test_a_probability_of_zero_needs_no_model_but_the_other():
    assert np.exp(mix([np.array([-np.inf]), np.log([0.5])], [0.5, 0.5]))[0] == pytest.approx(0.25)


def test_fitted_weights_are_those_that_a_search_finds():
    rng = np.random.default_rng(3)
    probs = rng.uniform(0.01, 1.0, (2, 500))
    first, second = fit_weights(list(np.log(probs)))
    grid = np.linspace(0.001, 0.999, 999)
    best = max(grid, key=lambda w: float(np.log(w * probs[0] + (1 - w) * probs[1]).sum()))
    assert first == pytest.approx(best, abs=2e-3)
    assert first + second == pytest.approx(1.0)


def test_a_model_that_is_always_better_takes_all():
    weights = fit_weights([np.log(np.full(50, 0.9)), np.log(np.full(50, 0.1))])
    assert weights[0] > 0.999


def test_no_tokens_fit_no_weights():
    with pytest.raises(ValueError, match=r"^there is no token to fit weights on$"):
        fit_weights([np.empty(0), np.empty(0)])
