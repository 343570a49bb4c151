"""Whether `charlm evaluate` measures a classifier or a tagger, and with which model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from charlm.cli.options import config_from
from charlm.render.console import talk
from charlm.tasks.train_classifier_config import LabelledConfig

_CONLLU = (".conllu", ".conllu.gz", ".conllu.xz")  # annotated sentences, whatever the models
_READING = ("format", "label_column", "text_column")
_COMMON = ("file", "models", "as_json", "encoding_errors", *_READING)


def evaluate_labelled(
    ctx: click.Context, models: Sequence[str], files: Sequence[str], settings: dict[str, Any]
) -> bool:
    """Measure a classifier or a tagger, if that is what is named, or what the files are for.

    Args:
        ctx: of the command, which knows what the user gave.
        models: as they were named; of several none is meant.
        files: to measure on.
        settings: how labelled files are read.

    Returns:
        Whether it was done; else language models are meant.
    """
    if not models and all(name.endswith(_CONLLU) for name in files):
        _measure(ctx, "tagger", None, files, settings)
        return True
    if len(models) == 1:
        from charlm.tasks.kinds import model_kind

        kind = model_kind(models[0])
        if kind in ("classifier", "tagger"):
            _measure(ctx, kind, models[0], files, settings)
            return True
    if models:
        return False
    given = [name for name in ctx.params if _is_given(ctx, name)]
    if any(name not in _COMMON for name in given):  # options of language models
        return False
    from charlm.tasks.evaluate_choice import choose_labelling

    must = any(name in _READING for name in given)
    chosen = choose_labelling(files, config_from(LabelledConfig, settings), must=must)
    if chosen is None:
        return False
    talk(f"charlm: {chosen.note}")
    _measure(ctx, chosen.kind, str(chosen.folder), files, settings)
    return True


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _measure(
    ctx: click.Context,
    kind: str,
    model: str | None,
    files: Sequence[str],
    settings: dict[str, Any],
) -> None:
    if kind == "tagger":
        from charlm.cli.evaluate_tagger import evaluate_tags

        evaluate_tags(ctx, model, files, settings)
    elif model is not None:
        from charlm.cli.evaluate_classifier import evaluate_labels

        evaluate_labels(ctx, model, files, settings)
