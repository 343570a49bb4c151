"""Word vectors from one form to another: files of other programs, and model folders of ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from charlm.base.errors import ConfigError
from charlm.store.locate import require_valid_name
from charlm.store.lock import FolderLock
from charlm.tasks.train_card import safe_text
from charlm.tasks.train_folder import model_folder, require_free
from charlm.tasks.vectors_open import OpenSpace
from charlm.text.expanding import SUFFIXES
from charlm.vectors.config import MAX_DIM, VectorsConfig, describe
from charlm.vectors.folder import save_vectors
from charlm.vectors.formats import encode_vectors, write_vectors


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ConvertResult:
    """What was written where; `form` is `text`, `binary`, `glove` or `folder`."""

    target: str
    form: str
    words: int
    dim: int
    warnings: tuple[str, ...]


def form_of(path: str) -> str:
    """Return the form that a file's name asks for: `.bin` is binary, `glove` in it is GloVe's.

    Example:
        >>> [form_of(name) for name in ("a.bin", "glove.6B.txt", "a.vec")]
        ['binary', 'glove', 'text']
    """
    name = Path(path).name.lower()
    if name.endswith(".bin"):
        return "binary"
    return "glove" if "glove" in name else "text"


def convert_to_file(
    opened: OpenSpace, target: str, *, form: str | None = None, overwrite: bool = False
) -> ConvertResult:
    """Write vectors to a file that other programs read.

    Raises:
        ConfigError: if the file exists and is not to be replaced, or its name says that it is
            compressed.
        CheckpointError: if it cannot be written.
    """
    path = Path(target)
    if path.suffix.lower() in SUFFIXES:
        raise ConfigError(
            f"{target}: {path.suffix} is read, not written; give - and pack what comes, or leave "
            "the suffix out"
        )
    if path.exists() and not overwrite:
        raise ConfigError(f"{target} exists; add --overwrite to replace it")
    form = form or form_of(target)
    told = write_vectors(path, opened.space, form)
    return _result(opened, target, form, told)


def convert_to_blocks(
    opened: OpenSpace, form: str | None = None
) -> tuple[ConvertResult, Iterator[bytes]]:
    """Return vectors as the bytes of such a file, for standard output; text where no form is given.

    The bytes are made as they are asked for.
    """
    form = form or "text"
    told, blocks = encode_vectors(opened.space, form)
    return _result(opened, "-", form, told), blocks


def _result(opened: OpenSpace, target: str, form: str, told: list[str]) -> ConvertResult:
    words, dim = len(opened.space.words), opened.space.dim
    return ConvertResult(target=target, form=form, words=words, dim=dim, warnings=tuple(told))


def convert_to_folder(opened: OpenSpace, name: str, *, overwrite: bool = False) -> ConvertResult:
    """Save vectors as a model folder, which is mapped when it is asked and not read anew.

    Raises:
        ConfigError: for a bad name or vectors too long.
        CheckpointError: if the name is taken, or the disk refuses.
    """
    require_valid_name(name)
    folder, space = model_folder(name), opened.space
    require_free(folder, overwrite, can_resume=False)
    if space.dim > MAX_DIM:
        raise ConfigError(f"vectors of {space.dim:,} numbers; a model has {MAX_DIM:,} at most")
    size = len(space.words)
    form = VectorsConfig(words=size, dim=space.dim, method="file", lowercase=space.lowercase)
    card = (
        f"# {name}\n\nWord vectors ({describe(form)}), taken over from "
        f"{safe_text(opened.name)} with charlm.\n"
    )
    with FolderLock(folder):
        save_vectors(
            folder,
            form,
            space.words,
            np.asarray(space.matrix, dtype=np.float32),
            np.zeros(size, dtype=np.int64) if opened.counts is None else opened.counts,
            tokenizer_config={"name": "words"},
            training={"description": opened.name, "parameters": size * space.dim, "valid": None},
            card=card,
        )
    return ConvertResult(target=str(folder), form="folder", words=size, dim=space.dim, warnings=())
