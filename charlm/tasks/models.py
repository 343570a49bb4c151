"""The models there are, damaged ones included."""

from __future__ import annotations

from charlm.store.checkpoint import ModelSummary, read_summary
from charlm.store.locate import list_models


def list_summaries() -> list[ModelSummary]:
    """Return a summary of every model folder, newest first; none of them stops the list."""
    found = [read_summary(folder) for folder in list_models()]
    return sorted(found, key=lambda summary: summary.created or 0.0, reverse=True)
