"""`charlm score`: how probable texts are, from arguments or line by line from stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from charlm.cli.choice import open_chosen
from charlm.cli.command import Command
from charlm.cli.lines import read_stdin, stdin_lines
from charlm.cli.options import json_option, model_option
from charlm.render.console import bold, flush_out, one_line, out, warn, width
from charlm.render.tables import plural

if TYPE_CHECKING:
    from charlm.tasks.score import ScoreResult


@click.command(
    cls=Command,
    examples=[
        ('charlm score "I like apples" "I sit apples"', "a line a text"),
        ("charlm score --json < lines.txt", "a JSON object a line, as the lines come"),
        ('charlm score --tokens "To be"', "which token was the surprise?"),
    ],
)
@click.argument("text", nargs=-1, help="texts; - reads all of stdin as one")
@model_option
@click.option("--tokens", is_flag=True, help="show the log-probability of each token")
@json_option
def score(text: tuple[str, ...], model: str | None, tokens: bool, as_json: bool) -> None:
    """Tell how probable a text is.

    The log-probability is the sum over the tokens of log p(token | all before it), in nats.
    Without a text, each line of standard input is one.
    """
    if text.count("-") > 1:
        raise click.UsageError("standard input (-) can be read only once")
    opened = open_chosen(model)
    from charlm.tasks.score import score_text

    first, seen, unknown = True, 0, 0
    for one in _texts(text):
        result = score_text(opened, one)
        seen, unknown = seen + result.tokens, unknown + result.unknown
        if as_json:
            _show_json(result, with_tokens=tokens)
            continue
        if first:
            out(bold(_HEADER, sys.stdout), trusted=True)
        first = False
        _show_row(result)
        if tokens:
            _show_tokens(result)
        if not text:  # a filter answers line by line
            flush_out()
    if unknown:
        warn(f"{unknown:,} of {plural(seen, 'token')} unknown to {opened.name!r}")


def _texts(given: tuple[str, ...]) -> Iterator[str]:
    if not given:
        yield from stdin_lines()
    for text in given:
        yield read_stdin().removesuffix("\n") if text == "-" else text


_HEADER = f"{'log_prob':>10}  {'tokens':>6}  {'perplexity':>10}  {'bits/char':>9}  text"


def _show_row(result: ScoreResult) -> None:
    from charlm.render.tables import cut, figure

    limit = width(sys.stdout)
    head = (
        f"{result.log_prob:10.3f}  {result.tokens:6d}  {figure(result.perplexity):>10}  "
        f"{figure(result.bits_per_char):>9}  "
    )
    text = one_line(result.text)
    if limit is not None and limit > len(head) + 8:
        text = cut(text, limit - len(head))
    out((head + text).rstrip(), trusted=True)


def _show_tokens(result: ScoreResult) -> None:
    for item in result.per_token:
        out(f"{item.log_prob:10.3f}  {one_line(item.token)}", trusted=True)


def _show_json(result: ScoreResult, *, with_tokens: bool) -> None:
    from charlm.render.machine import emit

    record: dict[str, Any] = {
        "text": result.text,
        "log_prob": result.log_prob,
        "tokens": result.tokens,
        "perplexity": result.perplexity,
        "bits_per_char": result.bits_per_char,
    }
    if with_tokens:
        record["per_token"] = [
            {"token": item.token, "log_prob": item.log_prob} for item in result.per_token
        ]
    emit(record)
