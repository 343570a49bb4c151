"""The models there are, damaged ones included."""

from __future__ import annotations

from charlm.store.locate import list_models
from charlm.store.summary import ModelSummary


def list_summaries() -> list[ModelSummary]:
    """Return a summary of every model folder, newest first; none of them stops the list."""
    return sorted(list_models(), key=lambda summary: summary.created or "", reverse=True)
