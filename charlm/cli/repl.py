"""`charlm repl`: the interactive session."""

from __future__ import annotations

import click

from charlm.cli.command import Command
from charlm.cli.options import model_option


@click.command(
    cls=Command,
    examples=[
        ("charlm repl", "a session with the newest model; /help lists its commands"),
        ("charlm repl -m shakespeare --no-history", "one that leaves no trace"),
        ("charlm repl < lines.txt", "a script: a line a text or a command"),
    ],
)
@model_option
@click.option("--history/--no-history", default=None, help="keep the lines for the next session")
def repl(model: str | None, history: bool | None) -> None:
    """Write, ask and try settings in one session.

    A line is a text that the model goes on with, or a command with a slash: /help lists them.
    Ctrl-C stops the model and keeps what came, Ctrl-D leaves.
    """
    from charlm.repl.start import start

    start(model, keep_history=history)
