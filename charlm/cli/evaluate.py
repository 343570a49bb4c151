"""`charlm evaluate`: a model's exact figures on held-out text."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from charlm.cli.choice import open_chosen
from charlm.cli.command import Command
from charlm.cli.completion import complete_corpus
from charlm.cli.options import encoding_option, json_option, model_option
from charlm.render.console import warn


@click.command(
    cls=Command,
    examples=[
        ("charlm evaluate valid.txt -m novel", "perplexity and bits per character"),
        ("charlm evaluate --json valid.txt", "the same for a program"),
    ],
)
@click.argument(
    "file",
    nargs=-1,
    required=True,
    shell_complete=complete_corpus,
    help="files, folders, globs, - for stdin, or corpora by name",
)
@model_option
@encoding_option
@json_option
def evaluate(file: tuple[str, ...], model: str | None, encoding_errors: str, as_json: bool) -> None:
    """Measure a model on held-out text.

    All tokens count, and the state is carried from the first to the last. Perplexities compare
    only within one tokenizer; bits per character compare across tokenizers.
    """
    opened = open_chosen(model)
    from charlm.tasks.evaluate import evaluate_model

    result = evaluate_model(opened, file, encoding_errors=encoding_errors)
    for warning in result.warnings:
        warn(warning)
    if as_json:
        from charlm.render.machine import emit

        record = dataclasses.asdict(result)
        del record["warnings"]
        emit(record)
        return
    _show(result)


def _show(result: Any) -> None:
    from charlm.render.tables import show_facts

    show_facts(
        [
            ("model", result.model),
            ("file", result.file),
            ("nats per token", f"{result.nats_per_token:.4f}"),
            ("perplexity", f"{result.perplexity:.4f}"),
            ("bits per char", f"{result.bits_per_char:.4f}"),
            ("tokens", f"{result.tokens:,}"),
            ("chars", f"{result.chars:,}"),
            ("unknown", f"{result.unknown_rate:.3%}"),
        ]
    )
