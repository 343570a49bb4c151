"""Where there is a GPU: what the other tests of decoding prove on the CPU holds there, too."""

import numpy as np
import pytest
import torch

from charlm.engine import dynamic as engine_dynamic
from charlm.engine import scoring
from charlm.engine.config import LanguageModelConfig
from charlm.engine.dynamic import DynamicSettings
from charlm.engine.language_model import LanguageModel as Engine
from charlm.generation.generate import generate
from charlm.generation.sampling import SamplingConfig
from charlm.models import dynamic
from charlm.models.cuda_decode import Decoder
from charlm.models.long_texts import LongText

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
FORMS = [
    {"num_layers": 2},
    {"num_layers": 3, "skip": True},
    {"num_layers": 2, "tie_weights": True},
    {"cell": "gru", "num_layers": 2},
    {"cell": "rnn"},
]
SETTINGS = [
    {"temperature": 0.0},
    {"temperature": 0.8, "min_p": 0.05},
    {"top_k": 5, "top_p": 0.9},
    {"repetition_penalty": 1.3},
]


def pair(form):
    config = LanguageModelConfig(vocab_size=40, embedding_dim=16, hidden_size=64, **form)
    rng = np.random.default_rng(0)
    shapes = config.tensor_shapes().items()
    tensors = {n: (0.2 * rng.standard_normal(s)).astype(np.float32) for n, s in shapes}
    return Engine(config, tensors), Decoder(config, tensors, torch.device("cuda")), tensors


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_gpu_draws_the_tokens_of_the_cpu(form, settings):
    engine, decoder, _ = pair(form)
    for rows in (1, 5, 70):
        config = SamplingConfig(max_new_tokens=50, seed=1, num_samples=rows, **settings)
        samples = []
        for tokens in (generate(engine, [1, 2], config), decoder.generate([1, 2], config)):
            told = [[] for _ in range(rows)]
            for token in tokens:
                told[token.sample].append(token.id)
            samples.append(told)
        # rounding may move the border between two tokens over a number that was drawn
        assert sum(a == b for a, b in zip(*samples, strict=True)) >= 0.9 * rows
        assert decoder.way(rows).startswith("a graph of whole steps")


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_gpu_scores_and_learns_as_the_cpu(form):
    engine, decoder, tensors = pair(form)
    ids = np.random.default_rng(1).integers(0, 40, 2000)
    wanted = scoring.text_scores(engine, ids)
    np.testing.assert_allclose(decoder.score_ids(ids), wanted, rtol=1e-4, atol=1e-4)
    found = LongText(decoder.model, ids, 8).score()
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    config, settings = engine.config, DynamicSettings(rate=0.003)
    sizes = engine_dynamic.GradientSizes(config, tensors, ids[:400], segment=20)
    exact = engine_dynamic.dynamic_scores(config, tensors, ids, sizes, settings)
    reader = dynamic.SegmentReader(config, tensors, torch.device("cuda"))
    there = dynamic.gradient_sizes(reader, ids[:400], segment=20)
    learnt = dynamic.dynamic_scores(reader, ids, there, settings)
    assert learnt.mean() == pytest.approx(exact.mean(), rel=1e-3)
