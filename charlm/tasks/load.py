"""A model by name or folder, ready to be asked: the one place that opens one."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charlm.base.config import from_json
from charlm.base.errors import CheckpointError, TokenizerError
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel
from charlm.store.checkpoint import StoredModel, load_model
from charlm.store.locate import LANGUAGE_MODEL_KINDS, find_model
from charlm.text.tokenizers import load_tokenizer
from charlm.text.tokenizers.protocol import Tokenizer

if TYPE_CHECKING:
    from charlm.ngram.model import NgramModel
    from charlm.tasks.scoring import AnyModel


@dataclasses.dataclass(frozen=True, slots=True)
class OpenModel:
    """A model with its tokenizer. `note` says which was chosen, where nobody named one."""

    name: str
    folder: Path
    model: AnyModel
    tokenizer: Tokenizer
    stored: StoredModel
    note: str = ""


def open_model(
    name: str | None = None, *, kinds: Collection[str] = LANGUAGE_MODEL_KINDS
) -> OpenModel:
    """Return the model of that name or folder; None takes the newest, else the bundled one.

    Raises:
        CheckpointError: if there is none, or it is damaged.
    """
    found = find_model(name, kinds)
    stored = load_model(found.folder, kinds=kinds)
    model = _build_model(stored)
    tokenizer = _build_tokenizer(stored, model.vocab_size)
    if tokenizer.vocab_size != model.vocab_size:
        raise CheckpointError(
            f"{found.folder}: the tokenizer has {tokenizer.vocab_size} tokens, "
            f"the model {model.vocab_size}; train it again"
        )
    return OpenModel(
        name=found.folder.resolve().name,
        folder=found.folder,
        model=model,
        tokenizer=tokenizer,
        stored=stored,
        note=found.how,
    )


def _build_model(stored: StoredModel) -> LanguageModel | NgramModel:
    if stored.kind == "ngram":
        from charlm.ngram.folder import restore_ngram

        return restore_ngram(stored)
    config = model_config(stored)
    return LanguageModel(config, stored.tensors(config.tensor_shapes()))


def _build_tokenizer(stored: StoredModel, vocab_size: int) -> Tokenizer:
    try:
        return load_tokenizer(
            stored.tokenizer_config, stored.tokenizer_files, vocab_size=vocab_size
        )
    except TokenizerError as error:
        raise CheckpointError(f"{stored.folder}: {error}; copy the model folder again") from error


def model_config(stored: Any) -> LanguageModelConfig:
    """Return the shape of a stored language model.

    Raises:
        CheckpointError: if the folder's `config.json` describes none.
    """
    where = f"{stored.folder}/config.json"
    try:
        return from_json(LanguageModelConfig, stored.model_config, where=where)
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def count_unknown(tokenizer: Tokenizer, ids: Any) -> int:
    """Return how many of the ids stand for what the vocabulary lacks."""
    if tokenizer.unk_id is None:
        return 0
    return int((ids == tokenizer.unk_id).sum())
