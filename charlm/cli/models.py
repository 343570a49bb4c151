"""`charlm models`: the list, damaged folders included."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import click

from charlm.base.durations import format_duration
from charlm.cli.command import Command
from charlm.cli.options import json_option
from charlm.render.console import talk, warn

if TYPE_CHECKING:
    from charlm.store.checkpoint import ModelSummary


@click.command(cls=Command, examples=[("charlm models", "all models, the newest first")])
@json_option
def models(as_json: bool) -> None:
    """List the models.

    Folders that are damaged are in the list, and what is wrong with them is told. A model is
    unfinished while it is trained, and if its training stopped early: --resume goes on.
    """
    from charlm.tasks.models import list_summaries

    summaries = list_summaries()
    if as_json:
        from charlm.render.machine import emit

        for summary in summaries:
            emit(record(summary))
        return
    if not summaries:
        talk("charlm: no models yet; charlm train makes one")
        return
    from charlm.render.tables import show_table

    header = ("name", "kind", "model", "params", "bits/char", "perplexity", "age", "size")
    show_table(header, [_row(s) for s in summaries], right={3, 4, 5, 6, 7}, spare=[7, 5])
    for summary in summaries:
        if summary.problem:
            warn(f"{summary.name}: {summary.problem}")


def record(summary: ModelSummary) -> dict[str, Any]:
    """Return a model's line for a program."""
    values = dataclasses.asdict(summary)
    values["folder"] = str(summary.folder)
    return values


def _row(summary: ModelSummary) -> tuple[str, ...]:
    from charlm.render.tables import count, figure, size

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
