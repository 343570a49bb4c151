"""The list of models as a table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from charlm.base.durations import format_duration
from charlm.render.console import warn
from charlm.render.tables import count, figure, show_table, size

if TYPE_CHECKING:
    from charlm.store.checkpoint import ModelSummary


def show_models(summaries: Sequence[ModelSummary]) -> None:
    """Write a line a model, and on stderr what is wrong with those that are damaged."""
    header = ("name", "kind", "model", "params", "bits/char", "perplexity", "age", "size")
    show_table(header, [_row(s) for s in summaries], right={3, 4, 5, 6, 7}, spare=[7, 5])
    for summary in summaries:
        if summary.problem:
            warn(f"{summary.name}: {summary.problem}")


def _row(summary: ModelSummary) -> tuple[str, ...]:
    if summary.problem:
        return (summary.name, "broken", "-", "-", "-", "-", "-", "-")
    state = "unfinished" if summary.unfinished else None
    return (
        summary.name,
        summary.kind or "-",
        ", ".join(filter(None, (summary.model, summary.tokenizer, state))) or "-",
        count(summary.parameters),
        figure(summary.valid.get("bits_per_char")),
        figure(summary.valid.get("perplexity")),
        _age(summary.created),
        size(summary.size_bytes),
    )


def _age(created: float | None) -> str:
    if created is None:
        return "-"
    seconds = max(0.0, time.time() - created)
    return f"{seconds / 86_400:.0f}d" if seconds > 172_800 else format_duration(seconds)
