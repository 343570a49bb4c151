"""`charlm train vectors`: options from VectorsTrainConfig, figures on stdout."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from charlm.cli.command import Command
from charlm.cli.completion import complete_corpus
from charlm.cli.options import config_from, json_option, options_from
from charlm.cli.train import exit_status, follow
from charlm.tasks.train_events import TrainResult
from charlm.tasks.train_vectors_config import VectorsTrainConfig


@click.command(
    "vectors",
    cls=Command,
    examples=[
        ("charlm train vectors wiki.txt -o wiki", "skip-gram with negative sampling"),
        ("charlm train vectors wiki.txt --window 10 --epochs 10", "wider windows, more passes"),
        ("charlm train vectors novel.txt --tokenizer word", "Chinese: words as jieba cuts them"),
        ("charlm train vectors --resume -o wiki", "go on after Ctrl-C, with the same settings"),
    ],
)
@click.argument(
    "corpus",
    nargs=-1,
    shell_complete=complete_corpus,
    help="files, folders, globs, - for stdin, or corpora by name",
)
@click.option("-o", "--name", metavar="NAME", help="name of the model (default: from the corpus)")
@options_from(VectorsTrainConfig)
@click.option("--resume", is_flag=True, help="go on with an interrupted training")
@click.option("--overwrite", is_flag=True, help="replace a model of that name")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
def vectors(
    corpus: tuple[str, ...],
    name: str | None,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> int:
    """Learn a vector for each word of a text.

    Then ask with charlm neighbors and charlm analogy. Ctrl-C saves; --resume goes on.
    """
    if resume and overwrite:
        raise click.UsageError("--resume goes on with a model, --overwrite replaces it: give one")
    config = config_from(VectorsTrainConfig, settings)
    if not corpus and not resume:
        raise click.UsageError("give a text: files, folders, - for stdin, or corpora by name")
    from charlm.tasks.train_vectors import train_vectors

    events = train_vectors(corpus, config, name=name, resume=resume, overwrite=overwrite)
    _, result = follow(events, quiet=quiet, live=True)
    if result is None:
        raise RuntimeError("the training ended without a result")
    _show_result(result, as_json=as_json)
    return exit_status(result)


def _show_result(result: TrainResult, *, as_json: bool) -> None:
    from charlm.base.durations import format_duration
    from charlm.render.console import out, talk
    from charlm.render.machine import emit
    from charlm.render.tables import count, show_facts

    if result.interrupted:
        talk(f"charlm: stopped and saved at epoch {result.epochs:.2f}")
        talk(f"charlm: go on with: charlm train vectors --resume --name {result.name}")
    if as_json:
        emit(_record(result))
        return
    took, speed = format_duration(result.duration_seconds), result.tokens_per_second
    show_facts(
        [
            ("model", f"{result.name} in {result.folder}, {count(result.parameters)} parameters"),
            ("trained", f"{result.epochs:.3g} epochs in {took}, {speed:,.0f} words a second"),
        ]
    )
    if not result.interrupted:
        out(f"try: charlm neighbors -m {result.name} WORD")


def _record(result: TrainResult) -> dict[str, Any]:
    record = dataclasses.asdict(result)
    keys = ("name", "kind", "parameters", "steps", "epochs", "duration_seconds")
    shown = {key: record[key] for key in keys}
    shown["words_per_second"] = result.tokens_per_second
    shown["device"] = result.device
    if result.interrupted:
        shown["interrupted"] = True
    return shown
