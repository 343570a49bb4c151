"""`charlm neighbors`: the words nearest to others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from charlm.base.errors import TaskError
from charlm.cli.command import Command
from charlm.cli.completion import complete_file, complete_model
from charlm.cli.options import json_option
from charlm.render.answers import show_answers
from charlm.render.console import talk, warn
from charlm.tasks.vectors_open import OpenSpace

if TYPE_CHECKING:
    from charlm.tasks.neighbors import Answer

STDIN = ("-",)
vectors_option = click.option(
    "-m",
    "--model",
    metavar="NAME",
    shell_complete=complete_model,
    help="name or folder of word vectors or of a language model, or a file of vectors "
    "(default: the newest)",
)
top_option = click.option(
    "-n",
    "--top-n",
    type=click.IntRange(1, 100_000),
    default=10,
    show_default=True,
    help="how many words",
)


@click.command(
    cls=Command,
    examples=[
        ("charlm neighbors king", "the ten words nearest to king"),
        ("charlm neighbors king france -n 5", "five of each"),
        ("charlm neighbors --together paris germany --negative france", "a sum of words"),
        ('charlm neighbors "new york" -m GoogleNews.bin', "a phrase, in vectors from a file"),
        (
            'charlm neighbors --in-context "the bank of the river" --word bank --among lines.txt',
            "what is like this bank, and not the other?",
        ),
        ("charlm neighbors --json king | jq -r .word", "the words alone, for a script"),
    ],
)
@click.argument("word", nargs=-1, help="words; quote a phrase (default, or -: stdin, one a line)")
@vectors_option
@click.option("--negative", multiple=True, metavar="WORD", help="take this word away (repeatable)")
@click.option("--together", is_flag=True, help="add the words up, and ask once")
@click.option(
    "--in-context",
    "context",
    metavar="TEXT",
    help="ask for the word of --word as this text means it, by the states of a language model",
)
@click.option("--word", "asked", metavar="WORD", help="a word of the text of --in-context")
@click.option(
    "--among",
    metavar="FILE",
    shell_complete=complete_file,
    help="whose words to compare with it, line by line (default: stdin)",
)
@top_option
@json_option
@click.pass_context
def neighbors(
    ctx: click.Context,
    /,
    word: tuple[str, ...],
    model: str | None,
    negative: tuple[str, ...],
    together: bool,
    context: str | None,
    asked: str | None,
    among: str | None,
    top_n: int,
    as_json: bool,
) -> None:
    """Find the words nearest to a word.

    Each WORD is asked for by itself, unless --together adds them up; one that is unknown is told
    on stderr, and makes the exit status 1. With --in-context the answers
    are words where they stand, in the lines of a text.
    """
    if context is not None and asked is not None:
        if word or negative or together:
            raise click.UsageError("--in-context takes one --word, and nothing to add to it")
        _in_context(context, asked, among, model, top_n, as_json=as_json)
        return
    if any(given is not None for given in (context, asked, among)):
        raise click.UsageError("--in-context TEXT and --word WORD go together; --among is for both")
    from charlm.tasks.neighbors import find_neighbors

    opened = open_told(model)
    queries: Iterable[tuple[str, ...]] = _queries(word)
    if together:
        queries = [tuple(text for (text,) in queries)]
    alone = len(word) == 1 and word != STDIN
    failed = False

    def answers() -> Iterator[list[Answer]]:
        nonlocal failed
        for one in queries:
            try:
                yield find_neighbors(opened, one, negative=negative, top_n=top_n)
            except TaskError as error:
                if together or alone:
                    raise
                failed = True  # one unknown word takes the answers from no other
                talk(f"charlm: {error}")

    show_answers(answers(), as_json=as_json)
    if failed:
        ctx.exit(1)


def _in_context(
    context: str, word: str, among: str | None, model: str | None, top_n: int, *, as_json: bool
) -> None:
    from charlm.cli.embed import open_told as open_reader
    from charlm.cli.lines import stdin_batches
    from charlm.render.embeddings import show_occurrences
    from charlm.tasks.embed_config import EmbedConfig
    from charlm.tasks.embed_neighbors import find_in_context, line_batches

    opened = open_reader(model, EmbedConfig())
    lines = stdin_batches() if among is None else line_batches(among)
    found = find_in_context(opened, context, word, lines, top_n=top_n)
    show_occurrences(found, as_json=as_json)


def _queries(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield each word, or each line of standard input that is not blank."""
    if words not in ((), STDIN):
        yield from ((word,) for word in words)
        return
    from charlm.cli.lines import stdin_lines

    yield from ((line.strip(),) for line in stdin_lines() if line.strip())


def open_told(model: str | None) -> OpenSpace:
    """Return the vectors of that name, saying on stderr which were chosen and what is odd."""
    from charlm.tasks.vectors_open import open_space

    opened = open_space(model)
    if opened.note:
        talk(f"charlm: {opened.note}")
    for text in opened.warnings:
        warn(text)
    return opened
