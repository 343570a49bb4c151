"""Dynamic evaluation and the neural cache: by hand, and without a look ahead."""

import numpy as np
import pytest

from charlm.engine.cache import (
    CacheSettings,
    cache_probs,
    read_features,
    tune_cache,
    with_cache,
)
from charlm.engine.dynamic import DynamicSettings, GradientSizes, dynamic_scores
from charlm.engine.language_model import to_float32
from charlm.engine.scoring import score_ids

RNG = np.random.default_rng(4)


def test_cache_probabilities_are_those_of_the_definition():
    features = RNG.standard_normal((700, 3)).astype(np.float32)
    ids = RNG.integers(0, 4, 700)
    found = cache_probs(features, ids, sharpness=0.7, window=300)
    for t in (0, 1, 5, 255, 256, 299, 300, 301, 640, 699):
        before = range(max(0, t - 300), t)
        weights = [np.exp(0.7 * float(features[t] @ features[i])) for i in before]
        same = [weight for i, weight in zip(before, weights, strict=True) if ids[i] == ids[t]]
        assert found[t] == pytest.approx(sum(same) / sum(weights) if t else 0.0, rel=1e-4)


def test_the_first_token_has_no_cache_and_the_others_share_it():
    found = with_cache(np.log([0.5, 0.5, 0.2]), np.array([0.0, 1.0, 0.0]), 0.1)
    np.testing.assert_allclose(np.exp(found), [0.5, 0.55, 0.18])


def test_a_cache_is_tuned_to_what_helps():
    ids = np.tile([1, 2, 3], 100)
    features = np.eye(4, dtype=np.float32)[np.roll(ids, 1)] * 3
    scores = np.full(300, np.log(0.25))
    settings = tune_cache(features, scores, ids, window=50)
    assert settings.share > 0.8
    assert settings.sharpness == 1.0
    useless = tune_cache(features, np.full(300, np.log(0.99)), ids[::-1] * 0 + np.arange(300),
                         window=50)  # fmt: skip
    assert useless.share < 0.01
    assert CacheSettings().window == 2000


@pytest.mark.parametrize("shape", [{}, {"tie_weights": True}, {"num_layers": 2, "skip": True}])
def test_features_come_with_the_exact_scores(make_model, shape):
    config, tensors, model = make_model(**shape)
    ids = RNG.integers(0, 11, 600)
    features, scores = read_features(config, tensors, ids)
    np.testing.assert_allclose(scores, score_ids(model, ids), atol=5e-5)
    assert features.shape == (600, config.output_size)


@pytest.fixture
def learner(make_model):
    config, tensors, model = make_model(scale=0.3)
    weights = to_float32(config, tensors)
    sizes = GradientSizes(config, weights, RNG.integers(0, 11, 200), segment=10)
    return config, weights, model, sizes


def test_without_a_rate_the_scores_are_the_static_ones(learner):
    config, weights, model, sizes = learner
    ids = RNG.integers(0, 11, 95)
    settings = DynamicSettings(rate=0.0, decay=0.5, segment=10)
    found = dynamic_scores(config, weights, ids, sizes, settings)
    np.testing.assert_allclose(found, score_ids(model, ids), atol=2e-5)


@pytest.mark.parametrize("tie", [False, True])
def test_a_text_that_repeats_is_learnt(make_model, tie):
    config, tensors, model = make_model(scale=0.3, tie_weights=tie)
    weights = to_float32(config, tensors)
    sizes = GradientSizes(config, weights, RNG.integers(0, 11, 400), segment=10)
    ids = np.tile([1, 7, 3, 9], 200)
    settings = DynamicSettings(rate=0.02, decay=0.0, segment=10)
    found = dynamic_scores(config, weights, ids, sizes, settings)
    assert -found[-100:].mean() < 0.5 * -score_ids(model, ids)[-100:].mean()
    np.testing.assert_array_equal(weights["output.bias"], tensors["output.bias"])


def test_no_token_is_predicted_by_weights_that_saw_it_or_what_follows(learner):
    config, weights, _, sizes = learner
    ids = RNG.integers(0, 11, 60)
    other = ids.copy()
    other[35:] = (other[35:] + 1) % 11
    settings = DynamicSettings(rate=0.01, segment=10)
    first, second = (dynamic_scores(config, weights, x, sizes, settings) for x in (ids, other))
    np.testing.assert_array_equal(first[:35], second[:35])
    assert (first[35:] != second[35:]).any()


def test_with_full_decay_every_segment_is_read_with_the_trained_weights_but_for_the_last(learner):
    """A pull of 1 on all weights of usual size leaves one update's worth of change."""
    config, weights, model, sizes = learner
    sizes.roots = {name: np.ones_like(root) for name, root in sizes.roots.items()}
    ids = RNG.integers(0, 11, 80)
    settings = DynamicSettings(rate=1e-7, decay=1.0, segment=10)
    found = dynamic_scores(config, weights, ids, sizes, settings)
    np.testing.assert_allclose(found, score_ids(model, ids), atol=1e-4)


def test_progress_is_told(learner):
    config, weights, _, sizes = learner
    told = []
    settings = DynamicSettings(segment=20)
    dynamic_scores(config, weights, RNG.integers(0, 11, 50), sizes, settings, on_tokens=told.append)
    assert told == [20, 40, 50]
