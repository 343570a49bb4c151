"""A small model folder to save, break and load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from charlm.store.checkpoint import save_model

SHAPES = {"embedding.weight": (5, 4), "output.bias": (5,)}


@pytest.fixture
def save():
    """A function that saves a model in which every number is `step`."""

    def save_step(folder: Path, step: int, **changes) -> None:
        tensors = {name: np.full(shape, step, np.float32) for name, shape in SHAPES.items()}
        parts = {
            "kind": "lm",
            "model_config": {"num_layers": 1, "hidden_size": 4, "cell": "lstm"},
            "tokenizer_config": {"name": "char"},
            "tokenizer_files": {"vocab.json": b'["a"]\n'},
            "tensors": tensors,
            "training": {"steps": step, "valid": {"perplexity": 2.5}},
            "card": f"# step {step}\n",
        }
        save_model(folder, **{**parts, **changes})

    return save_step


@pytest.fixture
def model(tmp_path, save):
    """A saved model folder."""
    folder = tmp_path / "model"
    save(folder, 7)
    return folder
