"""Long texts on a device: read in segments, scored as if in one go."""

import numpy as np
import pytest
import torch

from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel as Engine
from charlm.engine.scoring import score_ids
from charlm.models import long_texts, scoring
from charlm.models.scoring import TorchModel
from charlm.tasks.train_data import Part
from charlm.tasks.train_watch import score_exactly

FORMS = [{"num_layers": 2}, {"cell": "gru", "skip": True, "num_layers": 2}, {"cell": "rnn"}]
CPU = torch.device("cpu")


def pair(strength=0.5, **form):
    config = LanguageModelConfig(vocab_size=11, embedding_dim=6, hidden_size=8, **form)
    rng = np.random.default_rng(0)
    shapes = config.tensor_shapes().items()
    tensors = {n: (strength * rng.standard_normal(s)).astype(np.float32) for n, s in shapes}
    return Engine(config, tensors), TorchModel(config, tensors, CPU)


def some_ids(count):
    return np.random.default_rng(1).integers(0, 11, count)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("segments", [1, 3, 7])
def test_segments_score_what_one_reading_does(form, segments):
    engine, model = pair(**form)
    ids = some_ids(500)  # a rest stays behind three and seven segments
    found = long_texts.LongText(model.model, ids, segments).score()
    np.testing.assert_allclose(found, score_ids(engine, ids), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("longest_in_turn", [0, 1 << 18])
def test_a_network_that_never_forgets_is_read_in_turn(monkeypatch, longest_in_turn):
    monkeypatch.setattr(long_texts, "LONGEST_IN_TURN", longest_in_turn)
    engine, model = pair(strength=2.0, cell="rnn")  # its states are chaotic
    ids = some_ids(300)
    text = long_texts.LongText(model.model, ids, 6)
    found = text.score()
    one = score_ids(engine, ids)
    if longest_in_turn:
        np.testing.assert_allclose(found[:60], one[:60], rtol=1e-2, atol=1e-2)
    assert np.isfinite(found).all()


def test_a_long_text_among_short_ones_is_read_in_segments(monkeypatch):
    monkeypatch.setattr(scoring, "LONG", 100)
    asked = []

    class Noted(long_texts.LongText):
        def __init__(self, model, ids):
            asked.append(len(ids))
            super().__init__(model, ids, 4)

    monkeypatch.setattr(scoring, "LongText", Noted)
    engine, model = pair(num_layers=2)
    texts = [some_ids(20), some_ids(150), some_ids(0), some_ids(100)]
    found = model.score_batch(texts)
    assert asked == [150, 100]
    for ids, scores in zip(texts, found, strict=True):
        np.testing.assert_allclose(scores, score_ids(engine, ids), rtol=1e-4, atol=1e-4)


def test_a_training_on_a_gpu_is_judged_there(monkeypatch):
    asked = []

    class Here(TorchModel):
        def __init__(self, config, tensors, device):
            asked.append(device.type)
            super().__init__(config, tensors, CPU)

    monkeypatch.setattr(scoring, "TorchModel", Here)
    engine, _ = pair()
    tensors = {name: tensor.numpy() for name, tensor in pair()[1].model.state_dict().items()}
    part = Part(ids=some_ids(200), chars=300, unknown=5, sha256="")
    on_cpu, on_gpu = (score_exactly(engine.config, tensors, part, d) for d in ("cpu", "cuda"))
    assert asked == ["cuda"]
    assert on_gpu.nats_per_token == pytest.approx(on_cpu.nats_per_token, rel=1e-5)
    assert (on_gpu.tokens, on_gpu.chars, on_gpu.unknown_rate) == (200, 300, 0.025)
