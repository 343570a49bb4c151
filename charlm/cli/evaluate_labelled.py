"""Whether `charlm evaluate` measures a classifier, a tagger or vectors, and with which model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from charlm.base.errors import CheckpointError
from charlm.cli.options import config_from
from charlm.render.console import talk
from charlm.tasks.train_classifier_config import LabelledConfig

# annotated sentences, whatever the models
_CONLLU = (".conllu", ".conllu.gz", ".conllu.xz", ".conllu.bz2")
_READING = ("format", "label_column", "text_column")
_COMMON = ("file", "models", "as_json", "encoding_errors", *_READING)


def evaluate_labelled(
    ctx: click.Context, models: Sequence[str], files: Sequence[str], settings: dict[str, Any]
) -> bool:
    """Measure a classifier, a tagger or vectors, if that is named, or what the files are for.

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
        kind = _kind(models[0])
        if kind in ("classifier", "tagger", "vectors"):
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


def _kind(name: str) -> str:
    """Return the kind of a model, of a file of vectors where no model has the name."""
    from charlm.tasks.kinds import model_kind

    try:
        return model_kind(name)
    except CheckpointError:
        if Path(name).is_file():
            return "vectors"
        raise


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _measure(
    ctx: click.Context,
    kind: str,
    model: str | None,
    files: Sequence[str],
    settings: dict[str, Any],
) -> None:
    if kind == "vectors":
        _measure_vectors(ctx, model, files)
    elif kind == "tagger":
        from charlm.cli.evaluate_tagger import evaluate_tags

        evaluate_tags(ctx, model, files, settings)
    elif model is not None:
        from charlm.cli.evaluate_classifier import evaluate_labels

        evaluate_labels(ctx, model, files, settings)


def _measure_vectors(ctx: click.Context, model: str | None, files: Sequence[str]) -> None:
    from charlm.cli.vectors import evaluate

    for name in ctx.params:
        if _is_given(ctx, name) and name not in ("file", "models", "as_json"):
            raise click.UsageError(
                f"--{name.replace('_', '-')} is not for word vectors; they are measured on files "
                "of analogies and of judged pairs"
            )
    ctx.invoke(evaluate, file=tuple(files), model=model, as_json=ctx.params["as_json"])
