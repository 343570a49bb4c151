"""An n-gram model to and from a model folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from charlm.base.config import from_json, to_json
from charlm.base.errors import CheckpointError
from charlm.ngram.config import NgramConfig
from charlm.ngram.model import NgramModel
from charlm.store.checkpoint import StoredModel, save_model

KIND = "ngram"


def save_ngram(
    folder: Path,
    model: NgramModel,
    *,
    tokenizer_config: dict[str, Any],
    tokenizer_files: Mapping[str, bytes],
    training: dict[str, Any],
    card: str,
) -> None:
    """Make this the model of a folder, as `store.save_model` does."""
    save_model(
        folder,
        kind=KIND,
        model_config=to_json(model.config),
        tokenizer_config=tokenizer_config,
        tokenizer_files=tokenizer_files,
        tensors=model.tensors,
        training=training,
        card=card,
    )


def restore_ngram(stored: StoredModel) -> NgramModel:
    """Return the model that a folder holds.

    The arrays of a small model are checked here; those of one that is mapped, not read, are
    checked where they are used.

    Raises:
        CheckpointError: if config or arrays are malformed, or do not fit each other.
    """
    where = f"{stored.folder}/config.json"
    try:
        config = from_json(NgramConfig, stored.model_config, where=where)
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    is_read = isinstance(stored.buffer, bytes)
    tensors = stored.tensors(config.tensor_shapes(), check_finite=is_read, floats_only=False)
    model = NgramModel(config, tensors)
    if is_read:
        _require_sorted(stored, model)
    return model


def _require_sorted(stored: StoredModel, model: NgramModel) -> None:
    size = model.vocab_size + 1
    above = size
    for length in range(2, model.config.order + 1):
        keys = model.tensors[f"keys.{length}"]
        if len(keys) and (
            keys[0] < 0
            or keys[-1] >= above * size
            or not (np.diff(keys) > 0).all()
            or (keys % size == size - 1).any()
        ):
            raise CheckpointError(
                f"{stored.folder}: array keys.{length} is not that of an n-gram model; "
                "train it again"
            )
        above = len(keys)
