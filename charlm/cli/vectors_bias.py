"""`charlm vectors bias`: what word vectors associate with words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from charlm.base.errors import CorpusError
from charlm.cli.command import Command
from charlm.cli.completion import complete_file
from charlm.cli.neighbors import open_told, vectors_option
from charlm.cli.options import json_option
from charlm.render.console import one_line, talk, warn

_SETS = ("targets_a", "targets_b", "attributes_a", "attributes_b")
_TOLD = 20  # words left out; --json names all
_ABOUT = {
    "targets_a": "words, comma between, or @FILE (default: some flowers)",
    "targets_b": "those to set against them (default: some insects)",
    "attributes_a": "what targets a may lean to (default: pleasant words)",
    "attributes_b": "and what targets b may (default: unpleasant words)",
}


@click.command(
    "bias",
    cls=Command,
    examples=[
        ("charlm vectors bias -m wiki", "flowers and insects, pleasant and unpleasant"),
        (
            "charlm vectors bias --targets-a @arts.txt --targets-b @sciences.txt",
            "lists of your own, in files",
        ),
        ("charlm vectors bias --direction he,she nurse engineer", "words between two others"),
    ],
)
@click.argument("word", nargs=-1, help="words to project, with --direction")
@vectors_option
@click.option("--targets-a", metavar="WORDS", help=_ABOUT["targets_a"])
@click.option("--targets-b", metavar="WORDS", help=_ABOUT["targets_b"])
@click.option("--attributes-a", metavar="WORDS", help=_ABOUT["attributes_a"])
@click.option("--attributes-b", metavar="WORDS", help=_ABOUT["attributes_b"])
@click.option(
    "--direction",
    metavar="A,B",
    help="instead, how far each WORD lies towards A (positive) or B (negative)",
)
@click.option(
    "--words",
    metavar="FILE",
    shell_complete=complete_file,
    help="words to project, in a file, one a line (- for stdin)",
)
@click.option(
    "--permutations",
    type=click.IntRange(1, 100_000_000),
    default=100_000,
    show_default=True,
    help="partitions to draw for the p-value; up to 40 targets all are counted",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="seed of the draws",
)
@json_option
def bias(
    word: tuple[str, ...],
    model: str | None,
    targets_a: str | None,
    targets_b: str | None,
    attributes_a: str | None,
    attributes_b: str | None,
    direction: str | None,
    words: str | None,
    permutations: int,
    seed: int,
    as_json: bool,
) -> int:
    """Measure what words are associated with others.

    WEAT: whether targets a are nearer to attributes a, and targets b to attributes b, than the
    other way round. The effect size goes from -2 to 2 where there are as many of both; the
    p-value is how often targets dealt at random would do as much. With --direction, projections
    onto the difference of two words.
    """
    given = dict(zip(_SETS, (targets_a, targets_b, attributes_a, attributes_b), strict=True))
    if direction is not None:
        return _project(word, words, model, direction, given, as_json=as_json)
    if word or words is not None:
        raise click.UsageError("words to project are for --direction A,B")
    _test(model, given, permutations, seed, as_json=as_json)
    return 0


def _test(
    model: str | None, given: dict[str, str | None], permutations: int, seed: int, *, as_json: bool
) -> None:
    for kind in ("targets", "attributes"):
        if (given[f"{kind}_a"] is None) != (given[f"{kind}_b"] is None):
            raise click.UsageError(f"--{kind}-a and --{kind}-b go together")
    from charlm.tasks.vectors_bias import WordLists, measure_bias

    lists = WordLists(
        **{name: _words(name, text) for name, text in given.items() if text is not None}
    )
    found = measure_bias(open_told(model), lists, permutations=permutations, seed=seed)
    if unknown := found.left_out:
        more = f" and {len(unknown) - _TOLD:,} more" if len(unknown) > _TOLD else ""
        told = ", ".join(one_line(word[:40]) for word in unknown[:_TOLD])
        warn(f"left out, without a vector: {told}{more}")
    if as_json:
        from charlm.render.machine import emit

        emit(found.record())
        return
    from charlm.render.vectors import show_bias

    show_bias(found)


def _words(name: str, text: str) -> list[str]:
    """Return the words of an option: comma between, or in a file also line ends."""
    if text.startswith("@"):
        text = ",".join(_lines(text[1:]))
    found = [one.strip() for one in text.split(",") if one.strip()]
    if not found:
        raise click.UsageError(f"--{name.replace('_', '-')}: no words in it")
    return found


def _lines(file: str) -> list[str]:
    from charlm.text.corpora import open_corpus

    if file != "-" and not Path(file).is_file():  # a corpus by name is no list of words
        raise CorpusError(f"no file {file!r}; expected words, one a line")
    return [line.strip() for line in open_corpus([file]).read().split("\n") if line.strip()]


def _project(
    word: tuple[str, ...],
    file: str | None,
    model: str | None,
    direction: str,
    given: dict[str, str | None],
    *,
    as_json: bool,
) -> int:
    if any(text is not None for text in given.values()):
        raise click.UsageError("--direction takes WORDs, not targets and attributes")
    ends = [one.strip() for one in direction.split(",")]
    if len(ends) != 2 or not all(ends):
        raise click.UsageError(f"--direction takes two words, as he,she; got {direction!r}")
    from charlm.tasks.vectors_bias import project_words

    words = [*word, *(_lines(file) if file is not None else ())]
    if not words:
        raise click.UsageError("--direction needs a WORD to project, or --words FILE")
    found = project_words(open_told(model), (ends[0], ends[1]), words)
    for text in found.problems:
        talk(f"charlm: {one_line(text)}")
    if as_json:
        from charlm.render.machine import emit

        for one in found.words:
            emit({"direction": found.direction, **dataclasses.asdict(one)})
    else:
        from charlm.render.vectors import show_projections

        show_projections(found)
    return int(bool(found.problems))
