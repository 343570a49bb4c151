"""The part of `charlm evaluate` that measures a tagger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from charlm.cli.choice import say_note
from charlm.render.console import warn

_TAKEN = ("file", "models", "as_json", "encoding_errors", "label_column")


def evaluate_tags(
    ctx: click.Context, model: str | None, files: Sequence[str], settings: dict[str, Any]
) -> None:
    """Measure a tagger on annotated files.

    Args:
        ctx: of the command, which knows what the user gave.
        model: its name; None takes the newest tagger.
        files: the annotated files.
        settings: `label_column` and `encoding_errors`.

    Raises:
        click.UsageError: if an option was given that only other models have a use for.
    """
    told = f"{model} is a tagger" if model else "CoNLL-U measures taggers"
    for name in ctx.params:
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in _TAKEN:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} is for other models; {told}")
    from charlm.render.tags import figures_record, show_figures
    from charlm.tasks.tag import evaluate_tagger, open_tagger

    opened = open_tagger(model)
    say_note(opened.note)
    found = evaluate_tagger(
        opened,
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
