"""Where a model's training begins."""

import math

import numpy as np
import torch

from charlm.tasks.train_build import build_new
from charlm.tasks.train_data import load_data
from charlm.training.config import TrainConfig


def test_an_untrained_model_expects_every_token_as_often_as_it_comes(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    (tmp_path / "text.txt").write_text("aaab" * 1_000)
    config = TrainConfig(max_steps=1, hidden_size=8, precision="float32")
    data = load_data([str(tmp_path / "text.txt")], config)
    model = build_new(data, config).trainer.model
    ids = torch.from_numpy(data.tokenizer.encode("ab").astype(np.int64))[None]
    with torch.no_grad():
        logits, _ = model(ids, model.initial_state(1))
    found = torch.softmax(logits[0], dim=-1)[:, ids[0]]
    wanted = torch.tensor([math.log(0.75), math.log(0.25)]).exp()
    torch.testing.assert_close(found, wanted.expand(2, 2), atol=0.05, rtol=0.0)
