"""Small models with random weights, and the sequential reference that everything must equal."""

from __future__ import annotations

import numpy as np
import pytest

from charlm.engine import cells
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel


def random_tensors(config, seed=0, scale=0.5):
    rng = np.random.default_rng(seed)
    return {
        name: (scale * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in config.tensor_shapes().items()
    }


def textbook_logits(config, tensors, ids):
    """The logits after each id (batch, time, vocab), by the equations, in float64."""
    exact = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    h = [np.zeros((len(ids), config.hidden_size)) for _ in range(config.num_layers)]
    c = [state.copy() for state in h]
    logits = []
    for t in range(ids.shape[1]):
        embedded = exact["embedding.weight"][ids[:, t]]
        for i in range(config.num_layers):
            x = embedded if i == 0 else h[i - 1]
            if i > 0 and config.skip:
                x = np.concatenate([x, embedded], axis=1)
            weights = [exact[f"layers.{i}.{n}"] for n in ("weight_ih", "weight_hh", "bias")]
            if config.cell == "lstm":
                h[i], c[i] = cells.lstm_step(x, h[i], c[i], *weights)
            elif config.cell == "rnn":
                h[i] = cells.rnn_step(x, h[i], *weights)
            else:
                bias_hn = exact.get(f"layers.{i}.bias_hn")
                h[i] = cells.gru_step(x, h[i], *weights, bias_hn, reset=config.reset)
        features = np.concatenate(h, axis=1) if config.skip else h[-1]
        if config.has_projection:
            features = features @ exact["projection.weight"].T
        tied = exact["embedding.weight"][: config.vocab_size]
        output = tied if config.tie_weights else exact["output.weight"]
        logits.append(features @ output.T + exact["output.bias"])
    return np.stack(logits, axis=1)


@pytest.fixture
def make_model():
    """Return a function from config fields to (config, tensors, model)."""

    def make(seed=0, scale=0.5, **fields):
        sizes = {"vocab_size": 11, "embedding_dim": 7, "hidden_size": 8}
        config = LanguageModelConfig(**(sizes | fields))
        tensors = random_tensors(config, seed, scale)
        return config, tensors, LanguageModel(config, tensors)

    return make


@pytest.fixture
def textbook():
    """Return `textbook_logits`."""
    return textbook_logits
