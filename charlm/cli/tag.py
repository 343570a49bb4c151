"""`charlm tag`: a filter, lines of text in, lines of tagged words out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from charlm.cli.command import Command
from charlm.cli.lines import read_stdin, stdin_batches
from charlm.cli.options import Word, json_option, model_option
from charlm.render.console import flush_out, out, talk

if TYPE_CHECKING:
    from charlm.tasks.tag import OpenTagger, Tagged

# As in tasks.tag, which imports NumPy: too slow for help.
INPUTS = ("text", "words", "conllu")


@click.command(
    cls=Command,
    examples=[
        ('charlm tag "I like apples"', "each word with its tag"),
        ("charlm tag --json < lines.txt | jq .tags", "the same for a program"),
        ("charlm tag --input words < tokenised.txt", "words parted by blanks already"),
        ("charlm tag --input conllu --conllu < plain.conllu > tagged.conllu", "fill in a column"),
    ],
)
@click.argument("text", nargs=-1, help="texts to tag; none reads lines from standard input")
@model_option
@click.option(
    "--input",
    "form",
    type=Word(INPUTS),
    default="text",
    show_default=True,
    help="one text a line to be cut into words, words parted by blanks, or CoNLL-U",
)
@click.option("--conllu", is_flag=True, help="print CoNLL-U")
@json_option
def tag(text: tuple[str, ...], model: str | None, form: str, conllu: bool, as_json: bool) -> None:
    """Tag each word of lines of text.

    Lines in, lines out, one for one: word/TAG, blanks between. Punctuation, n't and 's are words
    of their own, as in English treebanks; Chinese is cut by jieba.
    """
    if conllu and as_json:
        raise click.UsageError("--conllu and --json exclude each other")
    if form == "conllu" and text not in ((), ("-",)):
        raise click.UsageError("--input conllu reads standard input; give no texts")
    from charlm.tasks.tag import open_tagger

    opened = open_tagger(model)
    if opened.note:
        talk(f"charlm: {opened.note}")
    for some in _tagged(opened, text, form):
        for one in some:
            _write(opened, one, conllu=conllu, as_json=as_json)
        flush_out()


def _tagged(opened: OpenTagger, text: tuple[str, ...], form: str) -> Iterator[list[Tagged]]:
    from charlm.tasks.tag import tag_annotated, tag_lines

    if form == "conllu":
        annotated = read_stdin().replace("\r\n", "\n")  # else the last column ends in \r
        for one in tag_annotated(opened.tagger, [annotated], "standard input"):
            yield [one]
        return
    for lines in _batches(text):
        yield tag_lines(opened.tagger, lines, form)


def _batches(text: tuple[str, ...]) -> Iterator[list[str]]:
    if text and "-" not in text:
        yield [line for one in text for line in one.split("\n")]
    elif text in ((), ("-",)):
        yield from stdin_batches()
    else:
        raise click.UsageError("give texts or - for standard input, not both")


def _write(opened: OpenTagger, one: Tagged, *, conllu: bool, as_json: bool) -> None:
    from charlm.render.tags import show_tagged
    from charlm.tasks.tag import conllu_lines, spans_of

    if as_json:
        from charlm.render.machine import emit

        record = {"tokens": list(one.tokens), "tags": list(one.tags)}
        found = spans_of(opened.tagger, one)
        if found is not None:
            shown = [{"label": label, "start": first, "end": end} for label, first, end in found]
            emit({**record, "spans": shown}, flush=False)
        else:
            emit(record, flush=False)
    elif conllu:
        lines = conllu_lines(one, opened.tagger.config.column)
        if lines:
            out("\n".join(lines) + "\n")
    else:
        show_tagged(one)
