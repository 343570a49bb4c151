"""`charlm show`: all that is known of one model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import click

from charlm.cli.choice import say_note
from charlm.cli.command import Command
from charlm.cli.completion import complete_model
from charlm.cli.options import json_option
from charlm.render.console import bold, out


@click.command(
    cls=Command, examples=[("charlm show shakespeare", "configuration, figures, files and card")]
)
@click.argument(
    "name",
    required=False,
    shell_complete=complete_model,
    help="name or folder of the model (default: the newest)",
)
@json_option
def show(name: str | None, as_json: bool) -> None:
    """Tell all about one model."""
    from charlm.tasks.show import show_model

    facts = show_model(name)
    say_note(facts.note)
    if as_json:
        from charlm.render.machine import emit

        record = dataclasses.asdict(facts)
        del record["note"]
        emit(record)
        return
    _show(facts)


def _show(facts: Any) -> None:
    from charlm.render.tables import show_facts, size

    show_facts([("name", facts.name), ("kind", facts.kind), ("folder", facts.folder)])
    for title, values in (
        ("Model", facts.model),
        ("Tokenizer", facts.tokenizer),
        ("Training", facts.training),
    ):
        _title(title)
        show_facts(list(_flat(values)), indent=2)
    _title("Files")
    show_facts([(name, size(length)) for name, length in facts.files.items()], indent=2)
    if facts.card:
        _title("Card")
        out(facts.card.rstrip("\n"))


def _title(text: str) -> None:
    import sys

    out()
    out(bold(text, sys.stdout), trusted=True)


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested values as `a.b  value` lines; long lists only by their length."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += _flat(value, f"{name}.")
        elif isinstance(value, list) and len(value) > 8:
            rows.append((name, f"{len(value)} entries"))
        elif value is not None:
            rows.append((name, _words(value)))
    return rows


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
