"""`charlm plot`: loss curves in the terminal or as a picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from charlm.cli.choice import say_note
from charlm.cli.command import Command
from charlm.cli.completion import complete_file, complete_model
from charlm.cli.options import Word, json_option
from charlm.render.console import out

_MEASURES = ("bits-per-char", "loss", "accuracy", "learning-rate", "grad-norm", "speed")
_SUFFIXES = (".png", ".svg", ".html")


@click.command(
    cls=Command,
    examples=[
        ("charlm plot", "the newest model, in the terminal"),
        ("charlm plot small large --output curves.svg", "two models in one picture"),
    ],
)
@click.argument(
    "name", nargs=-1, shell_complete=complete_model, help="models to draw in one picture"
)
@click.option(
    "--measure",
    type=Word(_MEASURES),
    default=None,
    help="what to draw (default: the first of these that the models have)",
)
@click.option(
    "--output",
    metavar="FILE",
    shell_complete=complete_file,
    help="picture instead: .png, .svg or .html",
)
@json_option
def plot(name: tuple[str, ...], measure: str | None, output: str | None, as_json: bool) -> None:
    """Draw the loss curves of models."""
    if output is not None and Path(output).suffix.lower() not in _SUFFIXES:
        raise click.UsageError(f"--output must end in {', '.join(_SUFFIXES)}, got {output!r}")
    from charlm.tasks.plot import read_curves

    found = read_curves(name or [None], measure)
    say_note(found.note)
    if as_json:
        from charlm.render.machine import emit

        for curve in found.curves:
            emit({**dataclasses.asdict(curve), "measure": found.measure})
        return
    from charlm.render.plots import draw, save_picture

    if output is None:
        draw(found.curves, found.title)
        return
    save_picture(found.curves, found.title, Path(output))
    out(f"wrote {output}")
