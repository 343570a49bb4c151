"""`charlm train classifier`: options from ClassifierTrainConfig, figures on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from charlm.cli.command import Command
from charlm.cli.completion import complete_file, complete_model
from charlm.cli.options import config_from, json_option, options_from
from charlm.cli.train import exit_status, follow
from charlm.tasks.train_classifier_config import ClassifierTrainConfig

if TYPE_CHECKING:
    from charlm.tasks.train_classifier import ClassifierResult


@click.command(
    "classifier",
    cls=Command,
    examples=[
        ("charlm train classifier reviews.csv -o reviews", "columns: label, then text"),
        ("charlm train classifier train.tsv --valid dev.tsv --test test.tsv", "parts of your own"),
        ("charlm train classifier mails.txt", "lines of __label__spam text, or spam text"),
        (
            "charlm train classifier --resume -o reviews",
            "go on after Ctrl-C, with the same settings",
        ),
    ],
)
@click.argument(
    "file",
    nargs=-1,
    shell_complete=complete_file,
    help="labelled files, or - for stdin",
)
@click.option("-o", "--name", metavar="NAME", help="name of the model (default: from the file)")
@options_from(
    ClassifierTrainConfig,
    complete={"valid": complete_file, "test": complete_file},
    leave_out=("from_model",),
)
@click.option(
    "--from",
    "from_model",
    metavar="NAME",
    shell_complete=complete_model,
    help="start from the embedding and layers of a language model of words",
)
@click.option("--resume", is_flag=True, help="go on with an interrupted training")
@click.option("--overwrite", is_flag=True, help="replace a model of that name")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
def classifier(
    file: tuple[str, ...],
    name: str | None,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> int:
    """Learn to tell the labels of texts, from texts with labels.

    CSV, TSV, JSON lines, fastText's lines of __label__x text, or lines of a label, a blank and a
    text. Then ask with charlm classify, and measure with charlm evaluate. Ctrl-C saves; --resume
    goes on.
    """
    if resume and overwrite:
        raise click.UsageError("--resume goes on with a model, --overwrite replaces it: give one")
    config = config_from(ClassifierTrainConfig, settings)
    if not file and not resume:
        raise click.UsageError("give labelled texts: CSV, TSV, JSON lines, or lines; - for stdin")
    from charlm.tasks.train_classifier import ClassifierResult, train_classifier

    events = train_classifier(file, config, name=name, resume=resume, overwrite=overwrite)
    _, result = follow(events, quiet=quiet, live=True)
    if not isinstance(result, ClassifierResult):
        raise RuntimeError("the training ended without a result")
    _show_result(result, as_json=as_json)
    return exit_status(result)


def _show_result(result: ClassifierResult, *, as_json: bool) -> None:
    from charlm.base.durations import format_duration
    from charlm.render.classes import accuracy_words
    from charlm.render.console import out, talk
    from charlm.render.machine import emit
    from charlm.render.tables import count, show_facts

    if result.interrupted:
        talk(f"charlm: stopped and saved at step {result.steps:,}")
        talk(f"charlm: go on with: charlm train classifier --resume --name {result.name}")
    held = [("valid", result.valid_figures), ("test", result.test_figures)]
    if as_json:
        keys = ("name", "kind", "parameters", "steps", "epochs", "duration_seconds")
        record: dict[str, Any] = {key: getattr(result, key) for key in keys}
        record |= {"texts_per_second": result.texts_per_second, "device": result.device}
        record |= {part: found.record() if found else None for part, found in held}
        emit(record | ({"interrupted": True} if result.interrupted else {}))
        return
    took, speed = format_duration(result.duration_seconds), result.texts_per_second
    facts = [
        (
            "model",
            f"{result.name} in {result.folder}, {result.labels} labels, "
            f"{count(result.parameters)} parameters",
        ),
        ("trained", f"{result.epochs:.3g} epochs in {took}, {speed:,.0f} texts a second"),
    ]
    facts += [(part, accuracy_words(found)) for part, found in held if found is not None]
    show_facts(facts)
    out(f'try: charlm classify -m {result.name} "…"')
