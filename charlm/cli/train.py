"""`charlm train`: options from TrainConfig, progress on stderr, figures on stdout."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from charlm.base.durations import format_duration, parse_duration
from charlm.base.errors import ConfigError
from charlm.base.processes import find_place
from charlm.cli.command import Command
from charlm.cli.completion import complete_corpus, complete_file, complete_model
from charlm.cli.options import config_from, json_option, options_from
from charlm.tasks.train_events import HeldOut, Planned, TrainEvent, TrainResult
from charlm.training.config import TrainConfig

# As shells say it: 128 and the number of the signal.
_STATUS = {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143}


@click.command(
    "lm",
    cls=Command,
    examples=[
        ("charlm train", "the built-in corpus python, about a minute"),
        ("charlm train novel.txt -o novel --max-time 3m", "a text of your own, three minutes"),
        ("cat *.txt | charlm train lm - --tokenizer word", "from a pipe, a model of words"),
        ("charlm train novel.txt --bidirectional", "two models, for charlm embed"),
        ("charlm train --resume -o novel", "go on after Ctrl-C, with the same text and settings"),
    ],
)
@click.argument(
    "corpus",
    nargs=-1,
    shell_complete=complete_corpus,
    help="files, folders, globs, - for stdin, or corpora by name (default: python)",
)
@click.option("-o", "--name", metavar="NAME", help="name of the model (default: from the corpus)")
@options_from(
    TrainConfig,
    complete={"valid": complete_file, "test": complete_file, "vectors": complete_model},
)
@click.option(
    "--resume",
    is_flag=True,
    help="go on with an interrupted training, or with a finished one under a larger limit",
)
@click.option("--overwrite", is_flag=True, help="replace a model of that name")
@click.option("--dry-run", is_flag=True, help="say what would be done, and stop")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
def lm(
    corpus: tuple[str, ...],
    name: str | None,
    resume: bool,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> int:
    """Train a language model on text.

    Name nothing but the text, and sizes and rates follow from it, the machine and the time.
    Ctrl-C saves; --resume goes on. The word lm may be left out.
    """
    if resume and overwrite:
        raise click.UsageError("--resume goes on with a model, --overwrite replaces it: give one")
    _check_corpus(corpus, resumes=resume and name is None)
    config = config_from(TrainConfig, settings)
    _check_durations(config)
    place = find_place()
    if place is not None and not place.leads:
        from charlm.tasks.train_group import follow_training

        return follow_training(config.device)
    from charlm.tasks.train import train_language_model

    events = train_language_model(
        list(corpus) or ([] if resume else ["python"]),
        config,
        name=name,
        resume=resume,
        overwrite=overwrite,
        dry_run=dry_run,
    )
    plan, result = follow(events, quiet=quiet, live=not dry_run)
    if dry_run:
        _show_plan(plan, as_json=as_json)
        return 0
    if result is None:
        raise RuntimeError("the training ended without a result")
    _show_result(result, as_json=as_json)
    return exit_status(result)


def _check_corpus(corpus: Sequence[str], *, resumes: bool) -> None:
    """Raise `UsageError` where a kind of model, or the name of one, stands among the texts."""
    group = click.get_current_context().parent
    kinds = group.command.commands if group and isinstance(group.command, click.Group) else ()
    for spec in corpus:
        if spec in kinds and not Path(spec).exists():
            raise click.UsageError(f"the kind comes first: charlm train {spec} …")
    if resumes and len(corpus) == 1 and not Path(corpus[0]).exists():
        from charlm.tasks.train_folder import model_folder

        if "/" not in corpus[0] and model_folder(corpus[0]).is_dir():
            raise click.UsageError(f"to go on with a model, say --resume --name {corpus[0]}")


def follow(
    events: Iterable[TrainEvent], *, quiet: bool, live: bool
) -> tuple[Planned | None, TrainResult | None]:
    """Show events as they come and return the plan and the result among them."""
    from charlm.render.progress import open_progress

    plan, result = None, None
    with open_progress(quiet=quiet, live=live) as progress:
        for event in events:
            if isinstance(event, Planned):
                plan = event
            elif isinstance(event, TrainResult):
                result = event
            progress.show(event)
    return plan, result


def exit_status(result: TrainResult) -> int:
    """Return the exit status after a training: 0, or that of the signal which stopped it."""
    return _STATUS.get(result.signal, 130) if result.interrupted else 0


def _show_plan(plan: Planned | None, *, as_json: bool) -> None:
    from charlm.render.machine import emit
    from charlm.render.tables import count, plural, show_facts, size

    if plan is None:
        return
    if as_json:
        emit(dataclasses.asdict(plan))
        return
    speed, duration = plan.tokens_per_second, plan.duration_seconds
    show_facts(
        [
            ("name", plan.name),
            ("corpus", plan.corpus),
            ("tokens", f"{plan.train_tokens:,} to train on, {plan.valid_tokens:,} held out"),
            ("vocabulary", f"{plan.vocab_size:,} tokens, {plan.unknown_rate:.2%} unknown"),
            ("model", f"{plan.model}, {plan.parameters:,} parameters"),
            ("machine", f"{plan.device}, {plan.precision}, {plural(plan.threads, 'thread')}"),
            ("batch", f"{plan.batch_size} streams of {plan.bptt} tokens"),
            ("epoch", f"{count(plan.steps_per_epoch)} steps"),
            ("memory", f"about {size(plan.memory_bytes)}"),
            ("speed", f"about {count(speed)} tokens a second" if speed else "not measured"),
            ("time", format_duration(duration) if duration else "open"),
        ]
    )


def _show_result(result: TrainResult, *, as_json: bool) -> None:
    from charlm.render.console import out, talk
    from charlm.render.machine import emit
    from charlm.render.tables import count, show_facts

    if result.interrupted:
        half = result.backward
        where = f"{result.steps:,}" if half is None else f"{half.steps:,} of the backward model"
        talk(f"charlm: stopped and saved at step {where}")
        talk(f"charlm: go on with: charlm train --resume --name {result.name}")
    if as_json:
        emit(result_record(result))
        return
    facts = [
        ("model", f"{result.name} in {result.folder}, {count(result.parameters)} parameters"),
        ("trained", _trained(result)),
    ]
    if result.valid is not None:
        facts.append(("valid", held_out_words(result.valid)))
    if result.test is not None:
        facts.append(("test", held_out_words(result.test)))
    if result.backward is not None:
        facts += _backward_facts(result.backward)
    show_facts(facts)
    if not result.interrupted:
        verb = "sample" if result.backward is None else "embed"
        out(f"try: charlm {verb} -m {result.name}")


def _backward_facts(result: TrainResult) -> list[tuple[str, str]]:
    facts = [("backward", _trained(result))]
    if result.valid is not None:
        facts.append(("  valid", held_out_words(result.valid)))
    if result.test is not None:
        facts.append(("  test", held_out_words(result.test)))
    return facts


def _trained(result: TrainResult) -> str:
    speed = f"{result.tokens_per_second:,.0f} tokens a second on {result.device}"
    took = format_duration(result.duration_seconds)
    return f"{result.steps:,} steps, {result.epochs:.3g} epochs in {took}, {speed}"


def _check_durations(config: TrainConfig) -> None:
    for name in ("max_time", "eval_every", "save_every", "sample_every"):
        text = getattr(config, name)
        try:
            if text is not None:
                parse_duration(text)
        except ConfigError as error:
            raise click.UsageError(f"--{name.replace('_', '-')}: {error}") from error


def held_out_words(held: HeldOut) -> str:
    """Return figures on held-out text as one line."""
    from charlm.render.tables import plural

    seen = held.unknown_rate >= 5e-5  # what rounds to a hundredth of a percent
    unknown = f", {held.unknown_rate:.2%} unknown" if seen else ""
    return (
        f"{held.nats_per_token:.4f} nats a token, perplexity {held.perplexity:.4g}, "
        f"{held.bits_per_char:.4f} bits a character ({plural(held.tokens, 'token')}{unknown})"
    )


def result_record(result: TrainResult) -> dict[str, Any]:
    """Return the object of `charlm train --json`."""
    record = dataclasses.asdict(result)
    keys = ("name", "kind", "parameters", "steps", "epochs", "duration_seconds")
    wanted = [*keys, "tokens_per_second", "device", "valid"]
    if result.test is not None:
        wanted.append("test")
    if result.interrupted:
        wanted.append("interrupted")
    if result.backward is not None:
        record["backward"] = result_record(result.backward)
        wanted.append("backward")
    return {key: record[key] for key in wanted}
