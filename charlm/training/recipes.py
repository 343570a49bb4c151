"""Presets by name: what each means for the settings that a user left open."""

from __future__ import annotations

import dataclasses
from typing import Any

from charlm.training.config import TrainConfig

_NO_DROPOUT = {
    "dropout": 0.0,
    "input_dropout": 0.0,
    "layer_dropout": 0.0,
    "embedding_dropout": 0.0,
    "weight_drop": 0.0,
}

# One small layer, and nothing to help it: what a textbook's example does.
PLAIN: dict[str, Any] = _NO_DROPOUT | {
    "hidden_size": 256,
    "embedding_dim": 64,
    "tie_weights": False,
    "weight_decay": 0.0,
    "ema": 0.0,
    "batch_size": 32,
    "bptt": 64,
}

# One layer of a width and a batch that suit fast kernels, on a GPU cuDNN's persistent one.
FAST: dict[str, Any] = _NO_DROPOUT | {
    "hidden_size": 512,
    "num_layers": 1,
    "batch_size": 128,
    "bptt": 64,
}

# Karpathy (2015), "The Unreasonable Effectiveness of Recurrent Neural Networks", and the defaults
# of his program char-rnn: two layers of 512, dropout of one half, windows of 50, and elementwise
# clipping at 5, for which a norm of 5 stands here.
CHARRNN: dict[str, Any] = {
    "hidden_size": 512,
    "num_layers": 2,
    "embedding_dim": 128,
    "tie_weights": False,
    "dropout": 0.5,
    "input_dropout": 0.0,
    "layer_dropout": 0.5,
    "embedding_dropout": 0.0,
    "weight_drop": 0.0,
    "weight_decay": 0.0,
    "learning_rate": 2e-3,
    "max_grad_norm": 5.0,
    "batch_size": 50,
    "bptt": 50,
    "ema": 0.0,
}

# Merity et al. (2018), arXiv:1708.02182, in the sizes and dropouts of its command for the Penn
# Treebank. AdamW with averaged weights stands for NT-ASGD, and the last layer is projected to the
# embedding's size instead of being as small.
AWD: dict[str, Any] = {
    "hidden_size": 1150,
    "num_layers": 3,
    "embedding_dim": 400,
    "tie_weights": True,
    "dropout": 0.4,
    "input_dropout": 0.4,
    "layer_dropout": 0.25,
    "embedding_dropout": 0.1,
    "weight_drop": 0.5,
    "learning_rate": 2e-3,
    "max_grad_norm": 0.25,
    "batch_size": 20,
    "bptt": 70,
}

RECIPES = {"plain": PLAIN, "fast": FAST, "charrnn": CHARRNN, "awd": AWD}


def with_preset(config: TrainConfig) -> TrainConfig:
    """Return the settings with those of the preset where they are open; `auto` leaves them open."""
    recipe = RECIPES.get(config.preset, {})
    left_open = {name: value for name, value in recipe.items() if getattr(config, name) is None}
    return dataclasses.replace(config, **left_open)
