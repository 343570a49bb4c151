"""`charlm classify`: a filter; a line in, its label and probability out."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from charlm.cli.command import Command
from charlm.cli.lines import stdin_batches
from charlm.cli.options import json_option, model_option
from charlm.render.console import flush_out, out, talk, wants_color


@click.command(
    cls=Command,
    examples=[
        ('charlm classify "a film to remember"', "the likeliest label, TAB, its probability"),
        ("charlm classify < lines.txt", "a line in, a line out, in order"),
        ('charlm classify --explain "a film to remember"', "the words that decide, in colour"),
        ("charlm classify --json --top 3 < lines.txt", "for programs, the three likeliest"),
    ],
)
@click.argument("text", nargs=-1, help="texts to label; none, or -, reads standard input")
@model_option
@click.option(
    "--top",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="how many labels of each text",
)
@click.option("--explain", is_flag=True, help="show which words speak for the label, or against")
@json_option
def classify(
    text: tuple[str, ...], model: str | None, top: int, explain: bool, as_json: bool
) -> None:
    """Tell the labels of texts, with probabilities.

    From standard input every line is a text. An empty one gets the label that is likeliest of all.
    """
    if "-" in text and len(text) > 1:
        raise click.UsageError("give texts or - for standard input, not both")
    from charlm.render.classes import explained, label_line, label_record, legend
    from charlm.tasks.classify import classify as tell
    from charlm.tasks.classify import open_classifier

    opened = open_classifier(model)
    if opened.note:
        talk(f"charlm: {opened.note}")
    color = wants_color(sys.stdout)
    if explain and not as_json:
        out(legend(color=color), trusted=True)
    for lines in _batches(text):
        for found in tell(opened, lines, top=top, explained=explain):
            if as_json:
                from charlm.render.machine import emit

                emit(label_record(found, top=top), flush=False)
                continue
            out(label_line(found), trusted=True)
            if explain:
                out("  " + explained(found, color=color).replace("\n", "\n  "), trusted=True)
        flush_out()


def _batches(text: tuple[str, ...]) -> Iterator[list[str]]:
    if text and text != ("-",):
        yield list(text)
    else:
        yield from stdin_batches()
