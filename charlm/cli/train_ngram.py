"""`charlm train ngram`: options from NgramTrainConfig, figures on stdout."""

from __future__ import annotations

from typing import Any

import click

from charlm.cli.command import Command
from charlm.cli.completion import complete_corpus, complete_file
from charlm.cli.options import config_from, json_option, options_from
from charlm.cli.train import follow, held_out_words, result_record
from charlm.tasks.train_events import TrainResult
from charlm.tasks.train_ngram_config import NgramTrainConfig


@click.command(
    "ngram",
    cls=Command,
    examples=[
        ("charlm train ngram novel.txt --tokenizer word -o novel-5gram", "5-grams of words"),
        ("charlm train ngram novel.txt --order 8 -o novel-8gram", "8-grams of characters"),
        ("charlm train ngram lm.arpa.gz", "take over a model from KenLM or SRILM"),
        ("lmplz -o 5 < words.txt | charlm train ngram - -o kenlm", "the same without a file"),
    ],
)
@click.argument(
    "corpus",
    nargs=-1,
    shell_complete=complete_corpus,
    help="files, folders, globs, - for stdin, or corpora by name (default: python); or an ARPA "
    "file",
)
@click.option("-o", "--name", metavar="NAME", help="name of the model (default: from the corpus)")
@options_from(NgramTrainConfig, complete={"valid": complete_file, "test": complete_file})
@click.option("--overwrite", is_flag=True, help="replace a model of that name")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
def ngram(
    corpus: tuple[str, ...],
    name: str | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> int:
    """Count an n-gram model, the baseline, in seconds.

    Smoothed by interpolated modified Kneser-Ney. It scores, samples and evaluates as any model.
    With --tokenizer whitespace every line is a text of its own; others read on over line ends.
    """
    config = config_from(NgramTrainConfig, settings)
    from charlm.tasks.train_ngram import train_ngram

    events = train_ngram(list(corpus) or ["python"], config, name=name, overwrite=overwrite)
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
        emit(result_record(result))
        return
    took, speed = format_duration(result.duration_seconds), result.tokens_per_second
    facts = [("model", f"{result.name} in {result.folder}, {count(result.parameters)} parameters")]
    if speed:  # an ARPA file was counted elsewhere
        facts.append(("counted", f"in {took}, {speed:,.0f} tokens a second"))
    held = [("valid", result.valid), ("test", result.test)]
    facts += [(part, held_out_words(figures)) for part, figures in held if figures is not None]
    show_facts(facts)
    out(f"try: charlm score -m {result.name}")
