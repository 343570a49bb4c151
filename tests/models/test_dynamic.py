"""Dynamic evaluation by torch: on the CPU it equals the engine's, token by token."""

import dataclasses

import numpy as np
import pytest
import torch

from charlm.engine import dynamic as engine
from charlm.engine.config import LanguageModelConfig
from charlm.engine.dynamic import DynamicSettings
from charlm.models import dynamic
from charlm.models.cuda_decode import Decoder
from charlm.tasks.adaptive import adapted
from charlm.tasks.load import open_model

FORMS = [
    {"cell": "lstm", "num_layers": 2},
    {"cell": "lstm", "num_layers": 2, "skip": True, "tie_weights": True},
    {"cell": "gru", "reset": "before"},
    {"cell": "gru", "num_layers": 2, "skip": True},
    {"cell": "rnn", "tie_weights": True},
]
CPU = torch.device("cpu")


def made(form):
    config = LanguageModelConfig(vocab_size=11, embedding_dim=6, hidden_size=8, **form)
    rng = np.random.default_rng(0)
    shapes = config.tensor_shapes().items()
    return config, {n: (0.5 * rng.standard_normal(s)).astype(np.float32) for n, s in shapes}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_scores_and_gradient_sizes_are_those_of_the_engine(form):
    config, tensors = made(form)
    ids, other = np.random.default_rng(1).integers(0, 11, (2, 64))
    reader = dynamic.SegmentReader(config, tensors, CPU)
    wanted = engine.GradientSizes(config, tensors, other, segment=7)
    found = dynamic.gradient_sizes(reader, other, segment=7)
    assert set(found) == set(wanted.roots)
    for name, root in wanted.roots.items():
        np.testing.assert_allclose(found[name].numpy(), root, rtol=1e-3, atol=1e-6)
    for settings in (
        DynamicSettings(rate=0.01, decay=0.05, segment=7),
        DynamicSettings(rate=0.003, decay=2.0, segment=20),
    ):
        scores = dynamic.dynamic_scores(reader, ids, found, settings)
        exact = engine.dynamic_scores(config, tensors, ids, wanted, settings)
        np.testing.assert_allclose(scores, exact, rtol=1e-4, atol=1e-4)
        again = dynamic.dynamic_scores(reader, ids, found, settings)
        np.testing.assert_array_equal(again, scores)  # the weights are what they were


def test_without_learning_the_scores_are_the_models_own():
    config, tensors = made(FORMS[0])
    ids = np.random.default_rng(1).integers(0, 11, 30)
    reader = dynamic.SegmentReader(config, tensors, CPU)
    sizes = dynamic.gradient_sizes(reader, ids, segment=5)
    scores = dynamic.dynamic_scores(reader, ids, sizes, DynamicSettings(rate=0.0, segment=4))
    np.testing.assert_allclose(scores, Decoder(config, tensors, CPU).score_ids(ids), atol=1e-5)


def test_a_text_shorter_than_a_segment_is_scored():
    config, tensors = made(FORMS[0])
    reader = dynamic.SegmentReader(config, tensors, CPU)
    sizes = dynamic.gradient_sizes(reader, np.array([1, 2, 3]), segment=20)
    scores = dynamic.dynamic_scores(reader, np.array([4]), sizes, DynamicSettings())
    assert scores.shape == (1,)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("tuned", [False, True])
def test_a_model_on_a_device_learns_there(tiny, tuned):
    opened = open_model("tiny")
    config = opened.model.config
    decoder = Decoder(config, opened.stored.tensors(config.tensor_shapes()), CPU)
    there = dataclasses.replace(opened, model=decoder)
    ids = opened.tokenizer.encode("the lazy dog jumps over the quick brown fox\n" * 4)
    tuning = ids[:60] if tuned else None
    scores, settings = adapted(opened, ids, DynamicSettings(), tuning)
    found, same = adapted(there, ids, DynamicSettings(), tuning)
    assert same == settings
    np.testing.assert_allclose(found, scores, rtol=1e-3, atol=1e-3)
