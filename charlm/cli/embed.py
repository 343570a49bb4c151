"""`charlm embed`: a filter, lines of text in, vectors of their tokens out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charlm.cli.command import Command
from charlm.cli.lines import stdin_batches
from charlm.cli.options import config_from, json_option, model_option, options_from
from charlm.render.console import flush_out, talk
from charlm.tasks.embed_config import EmbedConfig

if TYPE_CHECKING:
    from charlm.tasks.embed import Embedded, OpenEmbedder


@click.command(
    cls=Command,
    examples=[
        ('charlm embed -m pair "the bank of the river"', "tokens and their vectors, as JSON"),
        ("charlm embed -m pair < lines.txt > vectors.jsonl", "a line of JSON for each line"),
        ("charlm embed --layer 1 --direction forward < lines.txt", "one layer, one direction"),
        ("charlm embed --output lines.safetensors < lines.txt", "an array for each line"),
    ],
)
@click.argument("text", nargs=-1, help="texts; none reads lines from standard input")
@model_option
@options_from(EmbedConfig)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="write a .safetensors file, an array for each text",
)
@json_option
def embed(
    text: tuple[str, ...], model: str | None, output: Path | None, as_json: bool, **settings: Any
) -> None:
    """Give each token of texts a vector that knows its context.

    The vector is the state of a language model after reading up to the token, from the beginning
    and, with a model of charlm train lm --bidirectional, from the end. JSON lines come out.
    """
    if text != ("-",) and "-" in text:
        raise click.UsageError("give texts or - for standard input, not both")
    if output is not None and output.suffix.lower() != ".safetensors":
        raise click.UsageError(f"--output writes .safetensors, got {output.name!r}")
    if output is not None and as_json:
        raise click.UsageError("--output and --json exclude each other")
    config = config_from(EmbedConfig, settings)
    opened = open_told(model, config)
    from charlm.tasks.embed import embed_texts, write_embeddings

    kept: list[Embedded] = []
    for lines in _batches(text):
        for start in range(0, len(lines), 256):
            found = embed_texts(opened, lines[start : start + 256], config)
            if output is not None:
                kept += found
            else:
                _show(found)
    if output is not None:
        write_embeddings(output, opened.name, kept)
        talk(f"wrote {output}")


def open_told(model: str | None, config: EmbedConfig) -> OpenEmbedder:
    """Return the model, saying on stderr which was chosen and whether half of it is missing."""
    from charlm.tasks.embed import open_embedder

    opened = open_embedder(model)
    if opened.note:
        talk(f"charlm: {opened.note}")
    if opened.missing and config.direction == "both":
        talk(f"charlm: {opened.name} reads forward only; {opened.missing}")
    return opened


def _show(found: list[Embedded]) -> None:
    from charlm.render.embeddings import show_vectors

    for one in found:
        show_vectors(one)
    flush_out()


def _batches(text: tuple[str, ...]) -> Iterator[list[str]]:
    if text and text != ("-",):
        yield list(text)
    else:
        yield from stdin_batches()
