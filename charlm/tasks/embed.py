"""Contextual vectors of tokens: the states of a forward and a backward language model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError, TaskError
from charlm.engine.contextual import contextual_states, layer_weights
from charlm.engine.language_model import LanguageModel
from charlm.store.manifest import BACKWARD
from charlm.store.tensors import write_tensors
from charlm.tasks.embed_config import EmbedConfig
from charlm.tasks.load import OpenModel, open_model
from charlm.text.tokenizers.protocol import Tokenizer

MOST_HEADER = 100_000_000
"""What readers of safetensors accept; an array takes up to `ENTRY_BYTES` of it."""
ENTRY_BYTES = 160
Float32 = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]


@dataclasses.dataclass(frozen=True, slots=True)
class OpenEmbedder:
    """A forward language model and, where it has one, the backward one beside it.

    `note` says which was chosen, where nobody named one; `missing` why there is no backward one.
    """

    name: str
    tokenizer: Tokenizer
    forward: LanguageModel
    backward: LanguageModel | None
    note: str = ""
    missing: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Embedded:
    """The tokens of a text and their vectors, (tokens, numbers) or (tokens, layers, numbers)."""

    tokens: tuple[str, ...]
    vectors: Float32


@dataclasses.dataclass(frozen=True, slots=True)
class States:
    """A text's ids and the states at each, (tokens, kept, hidden); None of a direction left out."""

    ids: Ids
    forward: Float32 | None
    backward: Float32 | None

    def joined(self) -> Float32:
        """Return the vectors of the tokens, forward numbers first, (tokens, kept, numbers)."""
        parts = [part for part in (self.forward, self.backward) if part is not None]
        return np.concatenate(parts, axis=-1)


def open_embedder(name: str | None = None) -> OpenEmbedder:
    """Return the language model of that name or folder with its backward half; None: the newest.

    Raises:
        CheckpointError: if there is none, it is damaged, or its halves do not fit each other.
    """
    opened = open_model(name, kinds=("lm",))
    if not isinstance(opened.model, LanguageModel):
        raise CheckpointError(f"{opened.folder} holds no recurrent language model")
    other, missing = open_backward(opened)
    backward = None
    if other is not None and isinstance(other.model, LanguageModel):
        backward = other.model
    return OpenEmbedder(opened.name, opened.tokenizer, opened.model, backward, opened.note, missing)


def open_backward(opened: OpenModel) -> tuple[OpenModel | None, str]:
    """Return the backward model beside a forward one, or None and why there is none.

    Raises:
        CheckpointError: if it is damaged, or does not fit the other.
    """
    folder = Path(opened.folder).absolute() / BACKWARD
    if opened.stored.training.get("direction") != "forward":
        return None, "charlm train lm CORPUS --bidirectional trains both"
    if not folder.is_dir():
        return None, f"charlm train --resume --name {opened.name} goes on with it"
    other = open_model(str(folder), kinds=("lm",))
    ours, theirs = opened.stored, other.stored
    same = (
        ours.model_config == theirs.model_config
        and ours.tokenizer_config == theirs.tokenizer_config
        and ours.tokenizer_files == theirs.tokenizer_files
    )
    if not same or not isinstance(other.model, LanguageModel):
        raise CheckpointError(
            f"{folder} is not of the same training as {opened.folder}; train both again with "
            "--bidirectional --overwrite"
        )
    return other, ""


def read_states(opened: OpenEmbedder, texts: Sequence[str], config: EmbedConfig) -> list[States]:
    """Return the states at each token of texts, in order; an empty text has none.

    Raises:
        TaskError: if the model lacks the layer or direction.
    """
    weights = _weights(opened, config)
    encoded = [opened.tokenizer.encode(text) for text in texts]
    forward: Sequence[Float32 | None] = [None] * len(texts)
    backward = forward
    if config.direction != "backward":
        forward = contextual_states(opened.forward, encoded, weights)
    if config.direction != "forward" and opened.backward is not None:
        backward = contextual_states(opened.backward, encoded, weights, from_the_end=True)
    elif config.direction == "backward":
        raise TaskError(f"{opened.name} has no backward model; {opened.missing}")
    return [States(*three) for three in zip(encoded, forward, backward, strict=True)]


def _weights(opened: OpenEmbedder, config: EmbedConfig) -> Float32:
    layers, scores = opened.forward.config.num_layers, config.scores()
    if scores and len(scores) != layers:
        raise TaskError(f"{len(scores)} mix weights for {layers} layers; give one a layer")
    if config.layer == "all":
        return np.eye(layers, dtype=np.float32)
    if config.layer == "mix":
        return layer_weights(layers, None, scores) * np.float32(config.mix_scale)
    if int(config.layer) > layers:
        raise TaskError(f"{opened.name} has no layer {config.layer}; its layers are 1 to {layers}")
    return layer_weights(layers, int(config.layer))


def embed_texts(
    opened: OpenEmbedder, texts: Sequence[str], config: EmbedConfig | None = None
) -> list[Embedded]:
    """Return tokens and vectors of each text, in order.

    A forward vector is the state after the token was read, from the beginning of the text; a
    backward one that after reading from the end back to the token.

    Raises:
        TaskError: if the model lacks the layer or direction.
    """
    config = config or EmbedConfig()
    found = []
    for one in read_states(opened, texts, config):
        vectors = one.joined()
        tokens = tuple(opened.tokenizer.token(token) for token in one.ids.tolist())
        found.append(Embedded(tokens, vectors if config.layer == "all" else vectors[:, 0]))
    return found


def write_embeddings(path: Path, model: str, texts: Sequence[Embedded]) -> None:
    """Write vectors as safetensors: one array a text, named by its number from 0.

    The metadata holds the tokens of each text under the same name, as a JSON list, and the model.

    Raises:
        TaskError: if there are more texts than such a file's header may name.
        CheckpointError: if the disk is full or refuses.
    """
    arrays = {str(number): one.vectors for number, one in enumerate(texts)}
    tokens = {
        str(number): json.dumps(one.tokens, ensure_ascii=False) for number, one in enumerate(texts)
    }
    if sum(ENTRY_BYTES + len(one.encode()) for one in tokens.values()) > MOST_HEADER:
        raise TaskError(
            f"{len(texts):,} texts are too many for one safetensors file; write several, or JSON"
        )
    write_tensors(path, arrays, {"model": model, **tokens})
