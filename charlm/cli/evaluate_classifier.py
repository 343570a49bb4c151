"""The part of `charlm evaluate` that measures a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from charlm.cli.options import config_from
from charlm.render.console import warn
from charlm.tasks.train_classifier_config import LabelledConfig

_TAKEN = ("file", "models", "as_json", "encoding_errors", "format", "label_column", "text_column")


def evaluate_labels(
    ctx: click.Context, model: str, files: Sequence[str], settings: dict[str, Any]
) -> None:
    """Measure a classifier on labelled files.

    Args:
        ctx: of the command, which knows what the user gave.
        model: its name.
        files: the labelled files.
        settings: how to read them.

    Raises:
        click.UsageError: if an option was given that only other models have a use for.
    """
    for name in ctx.params:
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in _TAKEN:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} is for language models; {model} is a classifier")
    config = config_from(LabelledConfig, settings)
    from charlm.tasks.classify import open_classifier
    from charlm.tasks.evaluate_classifier import evaluate_classifier

    found = evaluate_classifier(open_classifier(model), files, config)
    for warning in found.warnings:
        warn(warning)
    if ctx.params["as_json"]:
        from charlm.render.classes import evaluation_record
        from charlm.render.machine import emit

        emit(evaluation_record(found))
        return
    from charlm.render.classes import show_evaluation

    show_evaluation(found)
