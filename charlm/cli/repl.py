"""`charlm repl`: the interactive session."""

from __future__ import annotations

import click

from charlm.cli.command import Command
from charlm.cli.completion import VARIABLE, complete_file
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
@click.option(
    "--transcript",
    metavar="FILE",
    shell_complete=complete_file,
    help="append every text to FILE, as JSON lines",
)
def repl(model: str | None, history: bool | None, transcript: str | None) -> None:
    """Write, ask and try settings in one session.

    A line is a text that the model goes on with, or a command with a slash: /help lists them.
    Ctrl-C stops the model and keeps what came, Ctrl-D leaves.
    """
    from charlm.repl.start import start

    start(
        model,
        keep_history=history,
        transcript=transcript,
        complete_training=complete_training,
    )


def complete_training(words: list[str], half: str) -> list[tuple[str, str]] | None:
    """Return what a half word behind `charlm train` may become; None where any file will do."""
    from click.shell_completion import ShellComplete

    from charlm.base.errors import CharlmError
    from charlm.cli.root import ROOT

    shell = ShellComplete(ROOT, {}, "charlm", VARIABLE)
    try:
        found = shell.get_completions(["train", *words], half)
    except (CharlmError, OSError, click.UsageError):
        return []
    if any(item.type != "plain" for item in found):
        return None
    return [(item.value, item.help or "") for item in found if item.value.startswith(half)]
