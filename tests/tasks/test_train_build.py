"""Where a model's training begins."""

import numpy as np
import pytest
import torch

from charlm.tasks import train_build
from charlm.tasks.train_build import build_new
from charlm.tasks.train_data import load_data
from charlm.training.config import TrainConfig


@pytest.fixture
def probabilities(tmp_path, monkeypatch):
    """Return what an untrained model of a text of a's and b's expects behind nothing and an a."""
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    (tmp_path / "text.txt").write_text("aaab" * 1_000)
    config = TrainConfig(max_steps=1, hidden_size=8, precision="float32")
    data = load_data([str(tmp_path / "text.txt")], config)
    ids = torch.from_numpy(data.tokenizer.encode("ab").astype(np.int64))[None]

    def find():
        model = build_new(data, config).trainer.model
        with torch.no_grad():
            logits, _ = model(ids, model.initial_state(1))
        return torch.softmax(logits[0], dim=-1)[:, ids[0]]

    return find


def test_a_model_of_many_tokens_expects_each_as_often_as_it_comes(probabilities, monkeypatch):
    monkeypatch.setattr(train_build, "LARGE_VOCABULARY", 2)
    wanted = torch.tensor([0.75, 0.25]).expand(2, 2)
    torch.testing.assert_close(probabilities(), wanted, atol=0.05, rtol=0.0)


def test_a_model_of_characters_expects_nothing(probabilities):
    found = probabilities()
    torch.testing.assert_close(found[:, 0], found[:, 1], atol=0.05, rtol=0.0)


def test_a_long_text_is_counted_in_parts(monkeypatch):
    monkeypatch.setattr(train_build, "COUNTED_TOKENS", 8)
    ids = np.tile(np.array([0, 0, 0, 1], dtype=np.uint8), 1_000)
    found = np.exp(train_build._log_frequencies(ids, 3))
    np.testing.assert_allclose(found, np.array([97, 33, 1]) / 131)
