"""`charlm train speller`: options from SpellerTrainConfig, figures on stdout."""

from __future__ import annotations

from typing import Any

import click

from charlm.cli.command import Command
from charlm.cli.completion import complete_corpus, complete_file, complete_model
from charlm.cli.options import config_from, json_option, options_from
from charlm.cli.train import follow
from charlm.tasks.train_events import TrainResult
from charlm.tasks.train_speller_config import SpellerTrainConfig


@click.command(
    "speller",
    cls=Command,
    examples=[
        (
            "charlm train speller novels/ news.txt -o english",
            "of your own text, the more the better",
        ),
        ("charlm train speller mails.txt --errors typos.tsv", "with misspellings of your own"),
        (
            "charlm train speller news.txt --pair news",
            "close calls decided by a bidirectional pair of models of words",
        ),
    ],
)
@click.argument(
    "corpus",
    nargs=-1,
    shell_complete=complete_corpus,
    help="files, folders, globs, - for stdin, or corpora by name (default: python)",
)
@click.option("-o", "--name", metavar="NAME", help="name of the model (default: from the corpus)")
@options_from(SpellerTrainConfig, complete={"errors": complete_file, "pair": complete_model})
@click.option("--overwrite", is_flag=True, help="replace a model of that name")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
def speller(
    corpus: tuple[str, ...],
    name: str | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> int:
    """Make all that spelling correction needs of a text.

    Its words, its n-grams, and how words are misspelt: from a table that comes with charlm, for
    English, or a list of your own. Then correct with charlm spell.
    """
    config = config_from(SpellerTrainConfig, settings)
    from charlm.tasks.train_speller import train_speller

    events = train_speller(list(corpus) or ["python"], config, name=name, overwrite=overwrite)
    _, result = follow(events, quiet=quiet, live=False)
    if result is None:
        raise RuntimeError("the training ended without a result")
    _show_result(result, as_json=as_json)
    return 0


def _show_result(result: TrainResult, *, as_json: bool) -> None:
    from charlm.base.durations import format_duration
    from charlm.render.console import out
    from charlm.render.machine import emit
    from charlm.render.tables import count, show_facts

    if as_json:
        keys = ("name", "kind", "parameters", "steps", "epochs", "duration_seconds")
        emit({**{key: getattr(result, key) for key in keys}, "device": result.device})
        return
    took, speed = format_duration(result.duration_seconds), result.tokens_per_second
    show_facts(
        [
            ("model", f"{result.name} in {result.folder}, {count(result.parameters)} parameters"),
            ("counted", f"in {took}, {speed:,.0f} words a second"),
        ]
    )
    out(f"try: charlm spell -m {result.name}")
