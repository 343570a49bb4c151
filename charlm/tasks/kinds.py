"""Which kind of model is meant, before it is opened."""

from __future__ import annotations

from charlm.store.checkpoint import load_model
from charlm.store.locate import find_model


def model_kind(name: str) -> str:
    """Return the kind of the model of that name or folder.

    Raises:
        CheckpointError: if there is none, or it is damaged.
    """
    return load_model(find_model(name).folder, weights=False).kind
