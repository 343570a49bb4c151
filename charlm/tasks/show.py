"""All that is known of one model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from charlm.store.checkpoint import load_model
from charlm.store.locate import find_model

CARD_LIMIT = 64 * 1024


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModelFacts:
    """One model folder: its configuration, training, files with sizes in bytes, and card."""

    name: str
    folder: str
    kind: str
    model: dict[str, Any]
    tokenizer: dict[str, Any]
    training: dict[str, Any]
    files: dict[str, int]
    card: str
    note: str


def show_model(name: str | None) -> ModelFacts:
    """Return what is known of the model of that name or folder.

    Raises:
        CheckpointError: if there is none, or it is damaged.
    """
    found = find_model(name, choose="NAME")
    stored = load_model(found.folder)
    return ModelFacts(
        name=found.folder.resolve().name,
        folder=str(found.folder),
        kind=stored.kind,
        model=dict(stored.model_config),
        tokenizer=dict(stored.tokenizer_config),
        training=dict(stored.training),
        files=_files(found.folder),
        card=_card(found.folder),
        note=found.how,
    )


def _files(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.lstat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    }


def _card(folder: Path) -> str:
    path = folder / "README.md"
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(CARD_LIMIT).decode("utf-8", errors="replace")
