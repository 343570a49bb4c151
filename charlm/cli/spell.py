"""`charlm spell`: a filter that corrects; lines in, lines out, one for one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charlm.cli.command import Command
from charlm.cli.completion import complete_file
from charlm.cli.lines import FIRST_BYTES, MOST_BYTES
from charlm.cli.options import config_from, json_option, model_option, options_from
from charlm.render.console import flush_out, is_terminal, out, sanitize, talk
from charlm.tasks.spell_config import SpellConfig

if TYPE_CHECKING:
    from charlm.spelling.corrector import CorrectedLine


@click.command(
    cls=Command,
    examples=[
        ("charlm spell < draft.txt > fixed.txt", "only wrong words change"),
        ('charlm spell --show "fifteen minuets from my house"', "changes in colour"),
        ('charlm spell --explain "fifteen minuets from my house"', "why"),
        ("charlm spell --words names.txt --confidence 0.9 < notes.md", "careful, with your words"),
    ],
)
@click.argument("text", nargs=-1, help="lines to correct; none reads standard input")
@model_option
@options_from(SpellConfig)
@click.option(
    "--words",
    multiple=True,
    type=click.Path(path_type=Path),
    shell_complete=complete_file,
    help="a file of words that are right, and are offered for others (may be repeated)",
)
@click.option(
    "--ignore",
    multiple=True,
    type=click.Path(path_type=Path),
    shell_complete=complete_file,
    help="a file of words to leave alone (may be repeated)",
)
@click.option("--show", is_flag=True, help="print the lines with their changes marked")
@click.option("--explain", is_flag=True, help="tell for each doubtful word what speaks for what")
@click.option("--interactive", is_flag=True, help="ask for each change")
@json_option
def spell(
    text: tuple[str, ...],
    model: str | None,
    words: tuple[Path, ...],
    ignore: tuple[Path, ...],
    show: bool,
    explain: bool,
    interactive: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Correct misspelt words, judged by the words around them.

    Lines in, lines out, one for one: only wrong words change. Blanks, punctuation, case, line
    ends, URLs, code, numbers and names stay as they are.
    """
    if sum((show, explain, interactive, as_json)) > 1:
        raise click.UsageError("--show, --explain, --interactive and --json exclude each other")
    config = config_from(SpellConfig, settings)
    from charlm.tasks.spell import Spelling, open_speller, read_words

    known = [word for path in words for word in read_words(path)]
    left = [word for path in ignore for word in read_words(path)]
    opened = open_speller(model)
    if opened.note:
        talk(f"charlm: {opened.note}")
    spelling = Spelling(opened, config, words=known, ignore=left)
    writer = _Writer(config, show=show, explain=explain, as_json=as_json)
    writer.weight = opened.speller.weights.model
    asking = None
    if interactive:
        from charlm.cli.spell_asking import Asking

        asking = Asking(config.candidates)
    for lines, ends in _batches(text):
        for line, end in zip(spelling.correct(lines), ends, strict=True):
            writer.write(line if asking is None else asking.ask(line), end)
        flush_out()


class _Writer:
    """Corrected lines to stdout, in the form that the options ask for."""

    def __init__(self, config: SpellConfig, *, show: bool, explain: bool, as_json: bool) -> None:
        self._most = config.candidates
        self._show, self._explain, self._json = show, explain, as_json
        self._terminal = is_terminal(sys.stdout)
        self.weight = 1.0

    def write(self, line: CorrectedLine, end: str) -> None:
        """Write one line; `end` is its line end."""
        if self._json:
            from charlm.render.machine import emit
            from charlm.render.spelling import record

            emit(record(line, self._most), flush=False)
        elif self._show:
            from charlm.render.spelling import show_marked

            show_marked(line)
        elif self._explain:
            from charlm.render.spelling import explain

            explain(line, most=self._most, weight=self.weight)
        elif self._terminal:
            out(sanitize(line.corrected), end="\n", trusted=True)
        else:
            _write_exactly(line.corrected + end)


def _write_exactly(text: str) -> None:
    """Write text whose bytes that were no UTF-8 come out as they came in."""
    if text.isascii():
        out(text, end="", trusted=True)
        return
    flush_out()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        out(text, end="", trusted=True)
        return
    buffer.write(text.encode("utf-8", "surrogateescape"))


def _batches(given: tuple[str, ...]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield lines without their ends, and their ends."""
    texts = [text for text in given if text != "-"]
    if given and len(texts) == len(given):
        lines = [line for text in texts for line in text.split("\n")]
        yield lines, ["\n"] * len(lines)
        return
    if given != ("-",) and given:
        raise click.UsageError("give texts or - for standard input, not both")
    if sys.stdin.isatty():
        talk("charlm: reading lines from the keyboard; Ctrl-D ends")
    source: Any = sys.stdin.buffer
    size, held = FIRST_BYTES, [b""]
    while data := source.read1(size):
        end = data.rfind(b"\n") + 1
        if end:
            yield _split(b"".join([*held, data[:end]]))
            held = []
        held.append(data[end:])
        size = min(2 * size, MOST_BYTES)
    if rest := b"".join(held):
        yield _split(rest)


def _split(data: bytes) -> tuple[list[str], list[str]]:
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    ends = ["\n"] * len(lines)
    if lines[-1]:
        ends[-1] = ""
    else:
        lines, ends = lines[:-1], ends[:-1]
    return lines, ends
