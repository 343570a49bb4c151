"""`charlm evaluate`: a model's exact figures on held-out text, or on minimal pairs."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from charlm.cli.command import Command
from charlm.cli.completion import complete_corpus
from charlm.cli.evaluate_labelled import evaluate_labelled
from charlm.cli.mixing import device_option, mix_option, models_option, open_mixed, scoring_work
from charlm.cli.options import encoding_option, json_option, options_from
from charlm.render.console import out, talk, warn
from charlm.tasks.train_classifier_config import LabelledConfig


@click.command(
    cls=Command,
    examples=[
        ("charlm evaluate valid.txt -m novel", "perplexity and bits per character"),
        ("charlm evaluate --json valid.txt", "the same for a program"),
        ("charlm evaluate test.txt --dynamic --tune valid.txt", "learning on as it reads"),
        ("charlm evaluate test.txt -m A -m B --fit-mix valid.txt", "two models, mixed as fits"),
        ("charlm evaluate --pairs blimp.jsonl", "how many minimal pairs are ranked right"),
    ],
)
@click.argument(
    "file",
    nargs=-1,
    shell_complete=complete_corpus,
    help="files, folders, globs, - for stdin, or corpora by name",
)
@models_option
@mix_option
@click.option("--fit-mix", metavar="FILE", help="weights of the mixture that suit this text")
@click.option("--pairs", metavar="FILE", help="good TAB bad lines, or BLiMP's JSON lines")
@click.option("--line-end", is_flag=True, help="with --pairs: sentences are lines, line ends count")
@click.option("--char-backoff", is_flag=True, help="price unknown words by their spelling, too")
@click.option("--dynamic", is_flag=True, help="also let the model learn from what it has read")
@click.option("--dynamic-rate", type=float, help="how fast it learns")
@click.option("--dynamic-decay", type=float, help="how fast it returns to what was trained")
@click.option("--dynamic-segment", type=click.IntRange(1, 1000), help="tokens between updates")
@click.option("--cache", is_flag=True, help="also with a neural cache (words, subwords)")
@click.option("--cache-share", type=float, help="share of the cache in the mixture")
@click.option("--cache-sharpness", type=float, help="how alike states must be")
@click.option("--cache-window", type=click.IntRange(1, 1_000_000), help="tokens it remembers")
@click.option("--tune", metavar="FILE", help="find these settings on another text")
@options_from(LabelledConfig, leave_out=("encoding_errors",))
@device_option
@encoding_option
@json_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    /,
    file: tuple[str, ...],
    models: tuple[str, ...],
    mix: tuple[float, ...] | None,
    fit_mix: str | None,
    pairs: str | None,
    line_end: bool,
    char_backoff: bool,
    dynamic: bool,
    cache: bool,
    tune: str | None,
    device: str,
    encoding_errors: str,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure a model on held-out text.

    All tokens count, and the state is carried from the first to the last. Perplexities compare
    only within one tokenizer; bits per character compare across tokenizers. A classifier is
    measured on labelled texts, a tagger on annotated sentences, word vectors on analogies or
    judged pairs of words: one named with --model, or the newest model that the file suits.
    """
    labelled = {name: settings.pop(name) for name in ("format", "label_column", "text_column")}
    reading = labelled | {"encoding_errors": encoding_errors}
    if file and evaluate_labelled(ctx, models, file, reading):
        return
    if any(value not in ((), "", "auto") for value in labelled.values()):
        raise click.UsageError(
            "--format, --label-column and --text-column need a classifier or a tagger"
        )
    if bool(file) == (pairs is not None):
        raise click.UsageError("give either FILE or --pairs FILE")
    dynamic_given = _given("dynamic", dynamic, settings)
    cache_given = _given("cache", cache, settings)
    if tune is not None and not (dynamic or cache):
        raise click.UsageError("--tune needs --dynamic or --cache")
    files = [*file, *([pairs] if pairs else [])]
    opened = open_mixed(models, mix, device, work=scoring_work((), files))
    if fit_mix is not None:
        from charlm.tasks.mixture import fit_mixture

        opened = fit_mixture(opened, models, [fit_mix], encoding_errors=encoding_errors)
        talk(f"charlm: fitted on {fit_mix}: {opened.name}")
    if pairs is not None:
        _pairs(opened, pairs, line_end, encoding_errors, as_json=as_json)
        return
    from charlm.engine.cache import CacheSettings
    from charlm.engine.dynamic import DynamicSettings
    from charlm.tasks.evaluate import evaluate_model

    result = evaluate_model(
        opened,
        file,
        encoding_errors=encoding_errors,
        char_backoff=char_backoff,
        dynamic=DynamicSettings(**dynamic_given) if dynamic else None,
        cache=CacheSettings(**cache_given) if cache else None,
        tune=tune,
    )
    for warning in result.warnings:
        warn(warning)
    if as_json:
        _emit(result)
    else:
        _show(result)


# By option: the least and the most that make sense.
_RANGES = {
    "dynamic_rate": (0.0, 1.0),
    "dynamic_decay": (0.0, 1.0),
    "cache_share": (0.0, 0.999),
    "cache_sharpness": (0.0, 100.0),
}


def _given(name: str, wanted: bool, values: dict[str, float | None]) -> dict[str, Any]:
    """Return the settings of dynamic evaluation or of the cache that the user named."""
    prefix = f"{name}_"
    given = {k: v for k, v in values.items() if k.startswith(prefix) and v is not None}
    if given and not wanted:
        option = next(iter(given)).replace("_", "-")
        raise click.UsageError(f"--{option} needs --{name}")
    for key, value in given.items():
        low, high = _RANGES.get(key, (value, value))
        if not low <= value <= high:
            option = key.replace("_", "-")
            raise click.UsageError(f"--{option} must be from {low:g} to {high:g}, got {value:g}")
    return {key.removeprefix(prefix): value for key, value in given.items()}


_MORE = ("with_spelling", "dynamic", "cache")


def _emit(result: Any) -> None:
    from charlm.render.machine import emit

    record = dataclasses.asdict(result)
    del record["warnings"]
    for name in _MORE:
        if record[name] is None:
            del record[name]
        else:
            record[name] |= record[name].pop("settings")
    emit(record)


def _show(result: Any) -> None:
    from charlm.render.tables import show_facts

    facts = [
        ("model", result.model),
        ("file", result.file),
        ("nats per token", f"{result.nats_per_token:.4f}"),
        ("perplexity", f"{result.perplexity:.4f}"),
        ("bits per char", f"{result.bits_per_char:.4f}"),
        ("tokens", f"{result.tokens:,}"),
        ("chars", f"{result.chars:,}"),
        ("unknown", f"{result.unknown_rate:.3%}"),
    ]
    for name in _MORE:
        found = getattr(result, name)
        if found is None:
            continue
        title = name.replace("_", " ")
        facts.append(
            (
                title,
                f"{found.nats_per_token:.4f} nats per token, perplexity {found.perplexity:.4f}, "
                f"{found.bits_per_char:.4f} bits per char",
            )
        )
        if found.settings:
            used = ", ".join(f"{key} {value:g}" for key, value in found.settings.items())
            facts.append(("", used))
    show_facts(facts)


def _pairs(opened: Any, file: str, line_end: bool, encoding_errors: str, *, as_json: bool) -> None:
    from charlm.tasks.pairs import evaluate_pairs

    result = evaluate_pairs(opened, file, line_end=line_end, encoding_errors=encoding_errors)
    if as_json:
        from charlm.render.machine import emit

        emit(dataclasses.asdict(result))
        return
    from charlm.render.tables import show_facts, show_table

    named = [one for one in result.paradigms if one.paradigm]
    if named:
        rows = [[f"{o.accuracy:.1%}", f"{o.right:,}", f"{o.pairs:,}", o.paradigm] for o in named]
        show_table(("accuracy", "right", "pairs", "paradigm"), rows, right=(0, 1, 2))
        out()
    facts = [
        ("model", result.model),
        ("file", result.file),
        ("accuracy", f"{result.accuracy:.2%} ({result.right:,} of {result.pairs:,} pairs)"),
    ]
    if len(named) > 1:
        facts.append(("mean", f"{result.mean_accuracy:.2%} over {len(named)} paradigms"))
    facts.append(("unknown", f"{result.unknown_rate:.3%}"))
    show_facts(facts)
