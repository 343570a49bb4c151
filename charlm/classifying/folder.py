"""A classifier to and from a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.config import from_json, to_json
from charlm.base.errors import CheckpointError
from charlm.classifying.classifier import Classifier
from charlm.classifying.config import ClassifierConfig
from charlm.store.checkpoint import StoredModel, save_model
from charlm.store.lines import as_lines, stored_lines

KIND = "classifier"
WORDS_FILE = "words.txt"


def save_classifier(
    folder: Path,
    config: ClassifierConfig,
    words: Sequence[str],
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
        tokenizer_files={WORDS_FILE: as_lines(words)},
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
        wanted = np.uint64 if name == "ngram_keys" else np.float32
        if array.dtype != wanted:
            raise CheckpointError(
                f"{stored.folder}: {name} is {array.dtype}, expected {np.dtype(wanted)}; "
                "copy the folder again"
            )
    keys = tensors.get("ngram_keys")
    if keys is not None and (keys[1:] <= keys[:-1]).any():
        raise CheckpointError(f"{stored.folder}: ngram_keys are not in order; train it again")
    return Classifier(config, _restore_words(stored, config), tensors)


def _restore_words(stored: StoredModel, config: ClassifierConfig) -> list[str]:
    words = stored_lines(stored, WORDS_FILE, config.vocab_size - 1)
    if len(set(words)) != len(words):
        raise CheckpointError(
            f"{stored.folder}/{WORDS_FILE}: a word stands twice; copy the folder again"
        )
    return words
