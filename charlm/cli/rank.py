"""`charlm rank`: candidates from the likeliest to the least likely; n-best lists from stdin."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from charlm.cli.command import Command
from charlm.cli.lines import stdin_batches
from charlm.cli.mixing import (
    NUMBERS,
    device_option,
    mix_option,
    models_option,
    open_mixed,
    scoring_work,
)
from charlm.cli.options import Word, json_option
from charlm.render.console import flush_out, out, talk
from charlm.render.scores import show_ranked

if TYPE_CHECKING:
    from charlm.tasks.load import OpenModel
    from charlm.tasks.rank import Candidate, RankedText

NORMALIZE = ("none", "tokens", "chars")


@click.command(
    cls=Command,
    examples=[
        ('charlm rank "I saw a van" "eyes awe of an"', "the likeliest first"),
        ("charlm rank --best < lists.txt", "the best line of each block, blank lines between them"),
        ("charlm rank --weight 0.8,2 < lists.tsv", "lines of text TAB score TAB score"),
        ("charlm rank --tune marked.tsv", "find weights; right answers begin with * TAB"),
    ],
)
@click.argument("text", nargs=-1, help="candidates; none, or -, reads lists from stdin")
@models_option
@mix_option
@click.option(
    "--weight",
    "weights",
    type=NUMBERS,
    multiple=True,
    metavar="NUMBERS",
    help="weights of the scores behind the text, the model's own being 1; 0.8,2 or repeated",
)
@click.option(
    "--tune", metavar="FILE", help="print the weights that suit lists with the right answer marked"
)
@click.option(
    "--normalize",
    type=Word(NORMALIZE),
    default="none",
    show_default=True,
    help="divide a log-probability by the text's length in these",
)
@click.option("--best", is_flag=True, help="print the best text of each list alone")
@device_option
@json_option
def rank(
    text: tuple[str, ...],
    models: tuple[str, ...],
    mix: tuple[float, ...] | None,
    weights: tuple[tuple[float, ...], ...],
    tune: str | None,
    normalize: str,
    best: bool,
    device: str,
    as_json: bool,
) -> None:
    """Put candidates in order of probability.

    Without a text, standard input holds lists parted by blank lines, a candidate a line, and
    behind a candidate, with TABs between them, scores from elsewhere that --weight adds in.
    """
    if text == ("-",):
        text = ()
    if tune is not None and (text or weights or best):
        raise click.UsageError("--tune finds weights and ranks nothing; leave out the rest")
    opened = open_mixed(models, mix, device, work=scoring_work(text))
    if tune is not None:
        _tune(opened, tune, normalize, as_json=as_json)
        return
    flat = tuple(weight for group in weights for weight in group)
    from charlm.tasks.rank import rank_blocks, require_weights

    where, block = "standard input", 1
    for blocks in _blocks(text):
        require_weights(blocks[0][0], flat, "" if text else where)
        ranked = rank_blocks(opened, blocks, weights=flat, normalize=normalize, first_block=block)
        for row in ranked:
            if not best or row.rank == 1:
                _show(row, best=best, as_json=as_json)
        block += len(blocks)
        flush_out()


def _blocks(text: tuple[str, ...]) -> Iterator[list[list[Candidate]]]:
    from charlm.tasks.rank import Candidate, read_blocks

    if text:
        yield [[Candidate(one) for one in text]]
    else:
        yield from read_blocks(stdin_batches(), where="standard input")


def _show(row: RankedText, *, best: bool, as_json: bool) -> None:
    if as_json:
        from charlm.render.machine import emit

        emit(dataclasses.asdict(row), flush=False)
    elif best:
        out(row.text)
    else:
        show_ranked(row)


def _tune(opened: OpenModel, file: str, normalize: str, *, as_json: bool) -> None:
    from charlm.tasks.tune_rank import tune_rank

    found = tune_rank(opened, file, normalize=normalize)
    if as_json:
        from charlm.render.machine import emit

        emit(dataclasses.asdict(found))
        return
    out(",".join(f"{weight:g}" for weight in found.weights))
    talk(f"right in {found.right} of {found.lists} lists; {found.right_without} by the model alone")
