"""`charlm evaluate`: a model's exact figures on held-out text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from charlm.cli.choice import open_chosen
from charlm.cli.spec import JSON, MODEL, Argument, Command, Option, UsageError
from charlm.render.console import warn

_ERRORS = ("strict", "replace", "skip")


def run(values: Mapping[str, Any]) -> int:
    """Evaluate, and show the figures."""
    if values["encoding_errors"] not in _ERRORS:
        raise UsageError(
            f"--encoding-errors must be one of {', '.join(_ERRORS)}, "
            f"got {values['encoding_errors']!r}"
        )
    opened = open_chosen(values["model"])
    from charlm.tasks.evaluate import evaluate_model

    result = evaluate_model(opened, values["file"], encoding_errors=values["encoding_errors"])
    for warning in result.warnings:
        warn(warning)
    if values["json"]:
        from charlm.render.machine import emit

        record = dataclasses.asdict(result)
        del record["warnings"]
        emit(record)
        return 0
    _show(result)
    return 0


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


EVALUATE = Command(
    "evaluate",
    "measure a model on held-out text",
    run,
    notes=(
        "All tokens count, and the state is carried from the first to the last. Perplexities "
        "compare only within one tokenizer; bits per character compare across tokenizers."
    ),
    arguments=(
        Argument(
            "file",
            "files, folders, globs, - for stdin, or corpora by name",
            required=True,
            repeats=True,
            complete="corpus",
        ),
    ),
    options=(
        MODEL,
        Option(
            "encoding_errors",
            "what to do with invalid UTF-8",
            default="strict",
            values=_ERRORS,
        ),
        JSON,
    ),
    examples=(
        ("charlm evaluate valid.txt -m novel", "perplexity and bits per character"),
        ("charlm evaluate --json valid.txt", "the same for a program"),
    ),
)
