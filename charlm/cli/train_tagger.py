"""`charlm train tagger`: options from TaggerTrainConfig, figures on stdout."""

from __future__ import annotations

from typing import Any

import click

from charlm.base.durations import parse_duration
from charlm.base.errors import ConfigError
from charlm.cli.command import Command
from charlm.cli.completion import complete_file, complete_model
from charlm.cli.options import config_from, json_option, options_from
from charlm.cli.train import exit_status, follow
from charlm.tasks.train_events import TrainResult
from charlm.tasks.train_tagger_config import TaggerTrainConfig


@click.command(
    "tagger",
    cls=Command,
    examples=[
        (
            "charlm train tagger train.conllu --valid dev.conllu -o pos",
            "parts of speech from CoNLL-U",
        ),
        (
            "charlm train tagger train.conllu --column xpos --max-time 4m",
            "other tags, in 4 minutes",
        ),
        ("charlm train tagger names.tsv", "word TAB label; BIO labels are weighed as sequences"),
        ("charlm train tagger --resume -o pos", "go on after Ctrl-C, with the same settings"),
    ],
)
@click.argument(
    "file",
    nargs=-1,
    shell_complete=complete_file,
    help="annotated sentences: CoNLL-U, or columns of words and tags with a blank line between "
    "sentences; - for stdin",
)
@click.option("-o", "--name", metavar="NAME", help="name of the model (default: from the file)")
@options_from(
    TaggerTrainConfig,
    complete={"valid": complete_file, "test": complete_file, "vectors": complete_model},
    leave_out=("from_model",),
)
@click.option(
    "--from",
    "from_model",
    metavar="NAME",
    shell_complete=complete_model,
    help="begin with the embedding and layers of a language model of words, both halves of a pair",
)
@click.option("--resume", is_flag=True, help="go on with an interrupted training")
@click.option("--overwrite", is_flag=True, help="replace a model of that name")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
def tagger(
    file: tuple[str, ...],
    name: str | None,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> int:
    """Learn to tag words, from annotated sentences.

    Parts of speech, names, anything that words can be labelled with. A bidirectional RNN reads
    each sentence both ways. Then tag with charlm tag. Ctrl-C saves; --resume goes on.
    """
    if resume and overwrite:
        raise click.UsageError("--resume goes on with a model, --overwrite replaces it: give one")
    config = config_from(TaggerTrainConfig, settings)
    if config.max_time is not None:
        try:
            parse_duration(config.max_time)
        except ConfigError as error:
            raise click.UsageError(f"--max-time: {error}") from error
    if not file and not resume:
        raise click.UsageError("give annotated text: CoNLL-U, or word TAB tag; - for stdin")
    from charlm.tasks.train_tagger import train_tagger

    events = train_tagger(file, config, name=name, resume=resume, overwrite=overwrite)
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
        talk(f"charlm: stopped and saved at step {result.steps:,}")
        talk(f"charlm: go on with: charlm train tagger --resume --name {result.name}")
    held = _held(result)
    if as_json:
        emit(_record(result, held))
        return
    took, speed = format_duration(result.duration_seconds), result.tokens_per_second
    facts = [
        ("model", f"{result.name} in {result.folder}, {count(result.parameters)} parameters"),
        ("trained", f"{result.epochs:.3g} epochs in {took}, {speed:,.0f} words a second"),
    ]
    for part, found in held.items():
        if found is not None:
            spans = f", span F1 {found['span_f1']:.2%}" if "span_f1" in found else ""
            unknown = f"unknown words {found['unknown_accuracy']:.2%}{spans}"
            facts.append((part, f"accuracy {found['accuracy']:.2%}, {unknown}"))
    show_facts(facts)
    if not result.interrupted:
        out(f"try: charlm tag -m {result.name}")


def _held(result: TrainResult) -> dict[str, dict[str, Any] | None]:
    from charlm.tasks.train_tagger_run import TaggerResult, short_figures

    if not isinstance(result, TaggerResult):
        return {}
    both = {"valid": result.valid_figures, "test": result.test_figures}
    return {part: None if one is None else short_figures(one) for part, one in both.items()}


def _record(result: TrainResult, held: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    keys = ("name", "kind", "parameters", "steps", "epochs", "duration_seconds")
    shown: dict[str, Any] = {key: getattr(result, key) for key in keys}
    shown |= {"tokens_per_second": result.tokens_per_second, "device": result.device}
    shown["valid"] = held.get("valid")
    if held.get("test") is not None:
        shown["test"] = held["test"]
    if result.interrupted:
        shown["interrupted"] = True
    return shown
