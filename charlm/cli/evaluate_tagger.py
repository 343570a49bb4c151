"""The part of `charlm evaluate` that measures a tagger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from charlm.render.console import warn

_TAKEN = ("file", "models", "as_json", "encoding_errors", "label_column")


def evaluate_tags(
    ctx: click.Context, model: str, files: Sequence[str], settings: dict[str, Any]
) -> None:
    """Measure a tagger on annotated files.

    Args:
        ctx: of the command, which knows what the user gave.
        model: its name.
        files: the annotated files.
        settings: `label_column` and `encoding_errors`.

    Raises:
        click.UsageError: if an option was given that only other models have a use for.
    """
    for name in ctx.params:
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in _TAKEN:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} is for other models; {model} is a tagger")
    from charlm.render.tags import figures_record, show_figures
    from charlm.tasks.tag import evaluate_tagger, open_tagger

    found = evaluate_tagger(
        open_tagger(model),
        files,
        column=settings["label_column"],
        encoding_errors=settings["encoding_errors"],
    )
    for warning in found.warnings:
        warn(warning)
    if ctx.params["as_json"]:
        from charlm.render.machine import emit

        emit(figures_record(found))
        return
    show_figures(found)
