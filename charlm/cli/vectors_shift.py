"""`charlm vectors shift`: which words mean something else in one model than in another."""

from __future__ import annotations

import dataclasses

import click

from charlm.cli.command import Command
from charlm.cli.completion import complete_model
from charlm.cli.neighbors import open_told
from charlm.cli.options import json_option
from charlm.render.console import one_line, talk, warn

_MODEL = "name or folder of word vectors or of a language model, or a file of vectors"


@click.command(
    "shift",
    cls=Command,
    examples=[
        ("charlm vectors shift novels1850 novels1950", "the twenty words that changed most"),
        ("charlm vectors shift old.vec new.vec gay broadcast", "these words, in files of vectors"),
        ("charlm vectors shift old new --json | jq -r .word", "for a script"),
    ],
)
@click.argument("old", shell_complete=complete_model, help=_MODEL)
@click.argument("new", shell_complete=complete_model, help=f"{_MODEL}, of another text or time")
@click.argument("word", nargs=-1, help="words to compare (default: those that changed most)")
@click.option(
    "-n",
    "--top-n",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="how many of the words that changed most, where no WORD is given",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=10_000,
    show_default=True,
    help="compare only words among so many most frequent ones of both; 0 for all",
)
@click.option(
    "--min-count",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="and only words that occurred so often in each, where that is known",
)
@click.option(
    "--near",
    type=click.IntRange(0, 1000),
    default=5,
    show_default=True,
    help="nearest words to tell, in OLD and in NEW",
)
@json_option
def shift(
    old: str,
    new: str,
    word: tuple[str, ...],
    top_n: int,
    limit: int,
    min_count: int,
    near: int,
    as_json: bool,
) -> int:
    """Find words that mean something else in another model.

    The vectors of OLD are rotated onto those of NEW, as near as the words that both have allow
    (orthogonal Procrustes). A word's similarity is the cosine of its two vectors then; its rank
    is 1 if no word changed more. Rare words move by chance: compare with the median.
    """
    from charlm.render.vectors import show_shift
    from charlm.tasks.vectors_shift import shift_words

    first, second = open_told(old), open_told(new)
    if first.name == second.name:  # folders of one name: as they were called
        first = dataclasses.replace(first, name=old)
        second = dataclasses.replace(second, name=new)
    found = shift_words(
        first, second, word, top_n=top_n, near=near, limit=limit, min_count=min_count
    )
    for text in found.warnings:
        warn(text)
    for text in found.problems:
        talk(f"charlm: {one_line(text)}")
    if as_json:
        from charlm.render.machine import emit

        for record in found.records():
            emit(record)
    else:
        show_shift(found, first.name, second.name)
    if found.compared:
        from charlm.render.tables import plural

        compared = plural(found.compared, "word")
        talk(f"charlm: {compared} compared; median similarity {found.median:.4f}")
    return int(bool(found.problems))
