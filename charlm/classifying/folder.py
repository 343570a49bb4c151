"""A classifier to and from a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from charlm.base.config import from_json, to_json
from charlm.base.errors import CheckpointError
from charlm.classifying.classifier import Classifier
from charlm.classifying.config import ClassifierConfig
from charlm.store.checkpoint import StoredModel, save_model

KIND = "classifier"


def save_classifier(
    folder: Path,
    config: ClassifierConfig,
    tensors: dict[str, npt.NDArray[Any]],
    *,
    training: dict[str, Any],
    card: str,
) -> None:
    """Make this the model of a folder, as `store.save_model` does."""
    save_model(
        folder,
        kind=KIND,
        model_config=to_json(config),
        tokenizer_config={"name": "words", "lowercase": config.lowercase},
        tokenizer_files={},
        tensors=tensors,
        training=training,
        card=card,
    )


def restore_classifier(stored: StoredModel) -> Classifier:
    """Return the classifier that a folder holds.

    Raises:
        CheckpointError: if config, words or numbers are malformed, or do not fit each other.
    """
    where = f"{stored.folder}/config.json"
    try:
        config = from_json(ClassifierConfig, stored.model_config, where=where)
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    is_read = isinstance(stored.buffer, bytes)
    tensors = stored.tensors(config.tensor_shapes(), check_finite=is_read, floats_only=False)
    for name, array in tensors.items():
        wanted = "u" if name == "ngram_keys" else "f"
        if array.dtype.kind != wanted or (wanted == "u" and array.dtype.itemsize != 8):
            raise CheckpointError(f"{stored.folder}: {name} is of a type that it never has")
    keys = tensors["ngram_keys"]
    if is_read and (keys[1:] <= keys[:-1]).any():
        raise CheckpointError(f"{stored.folder}: ngram_keys are not in order; train it again")
    return Classifier(config, tensors)
