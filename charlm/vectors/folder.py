"""Word vectors to and from a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.config import from_json, to_json
from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import StoredModel, save_model
from charlm.vectors.config import VectorsConfig
from charlm.vectors.space import Space
from charlm.vectors.words import WORDS_FILE, Words

KIND = "vectors"


def save_vectors(
    folder: Path,
    config: VectorsConfig,
    words: Words,
    matrix: npt.NDArray[Any],
    counts: npt.NDArray[np.int64],
    *,
    tokenizer_config: dict[str, Any],
    training: dict[str, Any],
    card: str,
) -> None:
    """Make these the vectors of a folder, as `store.save_model` does."""
    save_model(
        folder,
        kind=KIND,
        model_config=to_json(config),
        tokenizer_config=tokenizer_config,
        tokenizer_files={WORDS_FILE: words.data},
        tensors={"vectors": matrix, "counts": counts},
        training=training,
        card=card,
    )


def restore_vectors(stored: StoredModel) -> tuple[VectorsConfig, Space, npt.NDArray[np.int64]]:
    """Return the form, the space and the counts that a folder holds.

    The numbers of a small matrix are checked here; those of one that is mapped, not read, where
    they are used.

    Raises:
        CheckpointError: if config, words or numbers are malformed, or do not fit each other.
    """
    where = f"{stored.folder}/config.json"
    try:
        config = from_json(VectorsConfig, stored.model_config, where=where)
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    is_read = isinstance(stored.buffer, bytes)
    tensors = stored.tensors(config.tensor_shapes(), check_finite=is_read, floats_only=False)
    place = f"{stored.folder}/{WORDS_FILE}"
    words = Words(stored.tokenizer_files.get(WORDS_FILE, b""), where=place)
    if len(words) != config.words:
        raise CheckpointError(
            f"{place}: {len(words):,} words, expected {config.words:,}; copy the folder again"
        )
    if tensors["vectors"].dtype.kind != "f" or tensors["counts"].dtype != np.int64:
        raise CheckpointError(f"{stored.folder}: arrays of other types than vectors have")
    return config, Space(words, tensors["vectors"], config.lowercase), tensors["counts"]
