"""A tagger to and from a model folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.config import from_json, to_json
from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import StoredModel, save_model
from charlm.store.lines import as_lines, stored_lines
from charlm.tagging.config import TaggerConfig
from charlm.tagging.tagger import Tagger

KIND = "tagger"
WORDS_FILE, PARTS_FILE = "words.txt", "parts.txt"
LEAST_BUCKETS = 2  # also where no part of a word is known


def save_tagger(
    folder: Path,
    config: TaggerConfig,
    words: Sequence[str],
    parts: Sequence[str],
    tensors: Mapping[str, npt.NDArray[Any]],
    *,
    training: dict[str, Any],
    card: str,
) -> None:
    """Make this the tagger of a folder, as `store.save_model` does."""
    save_model(
        folder,
        kind=KIND,
        model_config=to_json(config),
        tokenizer_config={"name": "words"},
        tokenizer_files={WORDS_FILE: as_lines(words), PARTS_FILE: as_lines(parts)},
        tensors=tensors,
        training=training,
        card=card,
    )


def restore_tagger(stored: StoredModel) -> Tagger:
    """Return the tagger that a folder holds.

    Raises:
        CheckpointError: if config, words or numbers are malformed, or do not fit each other.
    """
    where = f"{stored.folder}/config.json"
    try:
        config = from_json(TaggerConfig, stored.model_config, where=where)
        shapes = config.tensor_shapes()
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    tensors = stored.tensors(shapes)
    plain = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
    words = stored_lines(stored, WORDS_FILE, config.words + config.known)
    none = config.buckets == LEAST_BUCKETS and not stored.tokenizer_files.get(PARTS_FILE, b"")
    parts = [] if none else stored_lines(stored, PARTS_FILE, config.buckets - 1)
    return Tagger(config, words, parts, plain)
