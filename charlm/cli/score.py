"""`charlm score`: how probable texts are, from arguments or line by line from stdin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charlm.cli.command import Command
from charlm.cli.lines import read_stdin, stdin_batches
from charlm.cli.mixing import device_option, mix_option, models_option, open_mixed, scoring_work
from charlm.cli.options import json_option
from charlm.render.console import flush_out, talk, warn
from charlm.render.tables import plural

if TYPE_CHECKING:
    from charlm.tasks.score import ScoreResult

SUFFIXES = (".html", ".svg")


@click.command(
    cls=Command,
    examples=[
        ('charlm score "I like apples" "I sit apples"', "a line a text, the likeliest marked"),
        ("charlm score --json < lines.txt", "a JSON object a line, as the lines come"),
        ('charlm score --tokens "To be"', "which token was the surprise, and what was likelier?"),
        ("charlm score --heatmap - < essay.txt", "the text coloured by surprisal"),
        ("charlm score --output page.html - < essay.txt", "the same as a page to keep"),
        ('charlm score -m novel -m novel-ngram --mix 0.7,0.3 "To be"', "two models mixed"),
    ],
)
@click.argument("text", nargs=-1, help="texts; - reads all of stdin as one")
@models_option
@mix_option
@click.option("--tokens", is_flag=True, help="show each token, its rank and what was likelier")
@click.option("--heatmap", is_flag=True, help="colour the text by surprisal")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="write the heat map to a .html or .svg file",
)
@click.option("--char-backoff", is_flag=True, help="price unknown words by their spelling too")
@device_option
@json_option
def score(
    text: tuple[str, ...],
    models: tuple[str, ...],
    mix: tuple[float, ...] | None,
    tokens: bool,
    heatmap: bool,
    output: Path | None,
    char_backoff: bool,
    device: str,
    as_json: bool,
) -> None:
    """Tell how probable a text is.

    The log-probability is the sum over the tokens of log p(token | all before it), in nats.
    Without a text, each line of standard input is one.
    """
    _check_usage(text, heatmap=heatmap, output=output, as_json=as_json)
    opened = open_mixed(models, mix, device, work=scoring_work(text))
    from charlm.tasks.score import score_texts

    unknown_words = None
    if char_backoff:
        from charlm.tasks.unknown import UnknownWords

        unknown_words = UnknownWords(opened)
    show = _Show(tokens=tokens, heatmap=heatmap, output=output, as_json=as_json)
    seen = unknown = 0
    for batch in _batches(text):
        results = score_texts(
            opened,
            batch,
            per_token=heatmap or tokens,
            alternatives=tokens or output is not None,
            unknown=unknown_words,
        )
        seen += sum(result.tokens for result in results)
        unknown += sum(result.unknown for result in results)
        show.results(results, compared=bool(text))
        flush_out()  # a filter answers as it is asked
    if output is not None:
        show.write(opened.name)
    if unknown:
        warn(f"{unknown:,} of {plural(seen, 'token')} unknown to {opened.name!r}")


def _check_usage(
    text: tuple[str, ...], *, heatmap: bool, output: Path | None, as_json: bool
) -> None:
    if text.count("-") > 1:
        raise click.UsageError("standard input (-) can be read only once")
    if heatmap and as_json:
        raise click.UsageError("--heatmap and --json exclude each other; --tokens --json has all")
    if output is not None and output.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"--output writes .html or .svg, got {output.name!r}")


def _batches(given: tuple[str, ...]) -> Iterator[list[str]]:
    if not given:
        yield from stdin_batches()
        return
    yield [read_stdin().removesuffix("\n") if text == "-" else text for text in given]


class _Show:
    """Results as they come, in the form that the options ask for."""

    def __init__(self, *, tokens: bool, heatmap: bool, output: Path | None, as_json: bool) -> None:
        self._tokens = tokens
        self._heatmap = heatmap
        self._output = output
        self._json = as_json
        self._kept: list[ScoreResult] = []
        self._head = True

    def results(self, results: list[ScoreResult], *, compared: bool) -> None:
        """Show some results; those that are compared have their likeliest marked."""
        if self._output is not None:
            self._kept += results
        if self._json:
            for result in results:
                self._show_json(result)
        elif self._heatmap and not self._tokens:
            for result in results:
                self._show_heatmap(result)
        elif self._output is None or self._tokens:
            self._show_table(results, compared=compared and len(results) > 1)

    def write(self, model: str) -> None:
        """Write the page or picture of all results."""
        from charlm.render.surprisal_page import write_page

        if self._output is not None:
            write_page(self._output, self._kept, model)
            talk(f"wrote {self._output}")

    def _show_table(self, results: list[ScoreResult], *, compared: bool) -> None:
        from charlm.render.scores import show_head, show_row, show_tokens

        best = max((result.log_prob for result in results), default=0.0)
        for result in results:
            if self._heatmap:
                self._show_heatmap(result)
            if self._head:
                show_head()
            mark = ("★ " if result.log_prob == best else "  ") if compared else ""
            show_row(result, mark)
            self._head = self._tokens
            if self._tokens:
                show_tokens(result)

    def _show_heatmap(self, result: ScoreResult) -> None:
        from charlm.render.surprisal import show_heatmap

        show_heatmap([(item.text, item.log_prob) for item in result.per_token])

    def _show_json(self, result: ScoreResult) -> None:
        from charlm.render.machine import emit

        record: dict[str, Any] = {
            "text": result.text,
            "log_prob": result.log_prob,
            "tokens": result.tokens,
            "perplexity": result.perplexity,
            "bits_per_char": result.bits_per_char,
        }
        if self._tokens:
            record["per_token"] = result.per_token
        emit(record, flush=False)
