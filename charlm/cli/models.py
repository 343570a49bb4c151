"""`charlm models`: the list, damaged folders included."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from charlm.cli.command import Command
from charlm.cli.options import json_option
from charlm.render.console import talk

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
    from charlm.render.models import show_models

    show_models(summaries)


def record(summary: ModelSummary) -> dict[str, Any]:
    """Return a model's line for a program."""
    values = dataclasses.asdict(summary)
    values["folder"] = str(summary.folder)
    return values
