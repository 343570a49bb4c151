"""Word vectors by name, folder or file, ready to be asked; also those inside a language model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError, TaskError
from charlm.store.checkpoint import load_model
from charlm.store.locate import find_model
from charlm.vectors.folder import KIND, restore_vectors
from charlm.vectors.space import Space
from charlm.vectors.spellings import near_spellings
from charlm.vectors.words import Words, distinct_names


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class OpenSpace:
    """Word vectors to ask. `note` says which were chosen, where nobody named any."""

    name: str
    space: Space
    counts: npt.NDArray[np.int64] | None = None
    note: str = ""
    warnings: tuple[str, ...] = ()


def open_space(name: str | None = None) -> OpenSpace:
    """Return the vectors of a model by name or folder, or of a file; None takes the newest.

    A language model answers with its embedding.

    Raises:
        CheckpointError: if there are none, or they are damaged.
        TaskError: if the model has no vectors, or there are none yet.
    """
    if name is not None and Path(name).is_file():
        from charlm.vectors.formats import read_vectors

        read = read_vectors(Path(name))
        return OpenSpace(name=name, space=read.space, warnings=read.warnings)
    try:
        found = find_model(name, (KIND,))
    except CheckpointError as error:
        if name is not None:
            raise
        raise TaskError(
            "no word vectors yet; charlm train vectors TEXT makes some, -m FILE asks those of a "
            "file, -m MODEL the embedding of a language model"
        ) from error
    stored = load_model(found.folder)
    shown = found.folder.resolve().name
    if stored.kind == KIND:
        _, space, counts = restore_vectors(stored)
        return OpenSpace(name=shown, space=space, counts=counts, note=found.how)
    if stored.kind != "lm":
        raise TaskError(
            f"{shown} is a model of kind {stored.kind!r}, which has no word vectors; "
            "charlm train vectors makes some"
        )
    return OpenSpace(name=shown, space=_embedding(str(found.folder)), note=found.how)


def _embedding(folder: str) -> Space:
    """Return the tokens of a language model and its embedding."""
    from charlm.tasks.load import open_model

    opened = open_model(folder, kinds=("lm",))
    matrix = opened.stored.tensors()["embedding.weight"]
    size = opened.tokenizer.vocab_size  # the matrix has a row more, for the beginning of a text
    names = distinct_names([opened.tokenizer.token(token) for token in range(size)])
    lowercase = opened.tokenizer.config().get("lowercase") is True
    return Space(Words.of(names), matrix[:size], lowercase)


def require_rows(space: Space, words: list[str]) -> list[int]:
    """Return the rows of words.

    Raises:
        TaskError: if one is unknown; known spellings near to it are named.
    """
    rows = []
    for word in words:
        row = space.index(word)
        if row is None:
            raise TaskError(unknown_word(space, word))
        rows.append(row)
    return rows


def unknown_word(space: Space, word: str) -> str:
    """Return the message for a word that has no vector."""
    near = near_spellings(word.lower() if space.lowercase else word, space.words)
    if not near:
        return f"no vector for {word[:100]!r} among {len(space.words):,} words"
    *first, last = [repr(one) for one in near]
    names = f"{', '.join(first)} or {last}" if first else last
    return f"no vector for {word[:100]!r} (did you mean {names}?)"
