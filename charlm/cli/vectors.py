"""`charlm vectors`: evaluate, cluster, plot and convert word vectors."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charlm.cli.command import Command
from charlm.cli.completion import complete_file
from charlm.cli.neighbors import open_told, vectors_option
from charlm.cli.options import Word, json_option
from charlm.render.console import flush_out, is_terminal, out, out_bytes, talk, warn

if TYPE_CHECKING:
    from charlm.vectors.evaluation import SectionResult

_SUFFIXES = (".png", ".svg", ".html")
_method_option = click.option(
    "--method",
    type=Word(("3cosadd", "3cosmul")),
    default="3cosadd",
    show_default=True,
    help="how analogies are answered",
)
_seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="seed"
)
_words_option = click.option(
    "--words",
    metavar="FILE",
    shell_complete=complete_file,
    help="only these words, in a file, one a line (- for stdin)",
)


@click.command(
    "evaluate",
    cls=Command,
    examples=[
        ("charlm vectors evaluate questions-words.txt -m wiki", "Google's analogies, by section"),
        ("charlm vectors evaluate wordsim353.tsv simlex.tsv", "pairs judged by people"),
    ],
)
@click.argument(
    "file",
    nargs=-1,
    required=True,
    shell_complete=complete_file,
    help="analogies, or pairs of words with a number",
)
@vectors_option
@_method_option
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=30_000,
    show_default=True,
    help="ask analogies among the most frequent words; 0 for all",
)
@json_option
def evaluate(
    file: tuple[str, ...], model: str | None, method: str, limit: int, as_json: bool
) -> None:
    """Measure word vectors on analogies and similarities.

    Analogies are files of four words a line, in sections; pairs of two words and a number. What
    the vectors have no word for is left out, and told as coverage.
    """
    from charlm.tasks.vectors_evaluate import accuracy, evaluate_vectors

    opened = open_told(model)
    for number, name in enumerate(file):
        found = evaluate_vectors(opened, name, method=method, limit=limit)
        if found.problem:
            warn(found.problem)
        if as_json:
            from charlm.render.machine import emit

            emit(found.record())
            continue
        from charlm.render.tables import show_facts, show_table

        if number:
            out()
        covered = f"{found.covered:,} of {found.total:,}"
        if found.sections:
            rows = [
                [_percent(accuracy(one)), *_counts(one), one.name]
                for one in (*found.sections, *found.sorts)
            ]
            show_table(("accuracy", "right", "covered", "of", "section"), rows, right=(0, 1, 2, 3))
            out()
            figure = ("analogies", _percent(found.analogy_accuracy))
        else:
            figure = ("spearman", _figure(found.similarity_spearman))
        show_facts([("model", found.model), ("file", found.file), figure, ("covered", covered)])


def _counts(one: SectionResult) -> list[str]:
    return [f"{number:,}" for number in (one.right, one.covered, one.total)]


def _figure(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.4f}"


def _percent(share: float | None) -> str:
    return "-" if share is None or share != share else f"{share:.2%}"


@click.command(
    "cluster",
    cls=Command,
    examples=[
        ("charlm vectors cluster -k 20", "the frequent words in twenty clusters"),
        ("charlm vectors cluster -k 5 --words adjectives.txt -n 0", "a list of words, all shown"),
    ],
)
@click.argument("word", nargs=-1, help="words to cluster (default: the most frequent)")
@vectors_option
@click.option(
    "-k",
    "--clusters",
    type=click.IntRange(1, 100_000),
    default=10,
    show_default=True,
    help="how many clusters",
)
@_words_option
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=10_000,
    show_default=True,
    help="how many of the most frequent words; 0 for all",
)
@click.option(
    "-n",
    "--top-n",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="words to show of each; 0 for all",
)
@_seed_option
@json_option
def cluster(
    word: tuple[str, ...],
    model: str | None,
    clusters: int,
    words: str | None,
    limit: int,
    top_n: int,
    seed: int,
    as_json: bool,
) -> None:
    """Group words whose vectors point the same way.

    By k-means on vectors of length one.
    """
    from charlm.tasks.vectors_cluster import cluster_words

    chosen = _chosen(word, words)
    opened = open_told(model)
    found = cluster_words(opened, clusters, words=chosen, limit=limit, top_n=top_n, seed=seed)
    _tell_unknown(found.unknown)
    if as_json:
        from charlm.render.machine import emit

        for one in found.clusters:
            words_of = [{"word": w, "similarity": s} for w, s in one.words]
            emit({"cluster": one.cluster, "size": one.size, "words": words_of})
        return
    from charlm.render.tables import show_table

    rows = [
        [str(one.cluster), f"{one.size:,}", " ".join(near.word for near in one.words)]
        for one in found.clusters
    ]
    show_table(("cluster", "words", "nearest to the centre"), rows, right=(0, 1))


def _chosen(given: tuple[str, ...], file: str | None) -> list[str]:
    """Return the words of a command line and of a file."""
    if file is None:
        return list(given)
    from charlm.text.corpora import open_corpus

    listed = [line.strip() for line in open_corpus([file]).read().split("\n") if line.strip()]
    return [*given, *listed]


def _tell_unknown(unknown: tuple[str, ...]) -> None:
    if unknown:
        more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
        warn(f"no vector for {', '.join(word[:40] for word in unknown[:5])}{more}")


@click.command(
    "plot",
    cls=Command,
    examples=[
        ("charlm vectors plot king queen man woman paris rome", "these words, in the terminal"),
        ("charlm vectors plot --method tsne --limit 500 --output words.html", "a page to hover"),
    ],
)
@click.argument("word", nargs=-1, help="words to draw (default: the most frequent)")
@vectors_option
@click.option(
    "--method", type=Word(("pca", "tsne")), default="pca", show_default=True, help="projection"
)
@_words_option
@click.option(
    "--limit",
    type=click.IntRange(2, 100_000),
    default=100,
    show_default=True,
    help="how many of the most frequent words",
)
@click.option(
    "-k",
    "--clusters",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="groups to tell apart by colour",
)
@click.option(
    "--output",
    metavar="FILE",
    shell_complete=complete_file,
    help="picture instead: .png, .svg or .html",
)
@_seed_option
@json_option
def plot(
    word: tuple[str, ...],
    model: str | None,
    method: str,
    words: str | None,
    limit: int,
    clusters: int,
    output: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Draw words on a plane, near ones together."""
    if output is not None and Path(output).suffix.lower() not in _SUFFIXES:
        raise click.UsageError(f"--output must end in {', '.join(_SUFFIXES)}, got {output!r}")
    from charlm.tasks.vectors_plot import place_words

    chosen = _chosen(word, words)
    opened = open_told(model)
    picture = place_words(
        opened, words=chosen, limit=limit, method=method, clusters=clusters, seed=seed
    )
    _tell_unknown(picture.unknown)
    if as_json:
        from charlm.render.machine import emit

        for one in picture.words:
            emit(dataclasses.asdict(one))
        return
    from charlm.render.scatter import draw_words, save_words

    if output is None:
        draw_words(picture)
        return
    save_words(picture, Path(output))
    talk(f"charlm: wrote {output}")


@click.command(
    "convert",
    cls=Command,
    examples=[
        ("charlm vectors convert wiki wiki.bin", "a model's vectors for word2vec and gensim"),
        ("charlm vectors convert glove.6B.100d.txt -o glove", "a file as a model, mapped"),
        ("charlm vectors convert wiki - | gzip > wiki.vec.gz", "as text to standard output"),
    ],
)
@click.argument("source", shell_complete=complete_file, help="a model or a file of vectors")
@click.argument(
    "target", required=False, shell_complete=complete_file, help="the file to write, - for stdout"
)
@click.option("-o", "--name", metavar="NAME", help="save as a model of that name instead")
@click.option(
    "--to",
    "form",
    type=Word(("text", "binary", "glove")),
    help="form of the file (default: by its name: .bin, glove, else text)",
)
@click.option("--overwrite", is_flag=True, help="replace what is there")
@json_option
def convert(
    source: str,
    target: str | None,
    name: str | None,
    form: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write word vectors in another form.

    word2vec's text or binary, GloVe's, or a model folder.
    """
    if (target is None) == (name is None):
        raise click.UsageError("give either TARGET, a file, or --name NAME, a model")
    if target == "-":
        _convert_to_stdout(source, form, as_json=as_json)
        return
    from charlm.tasks.vectors_convert import convert_to_file, convert_to_folder

    opened = open_told(source)
    if target is not None:
        result = convert_to_file(opened, target, form=form, overwrite=overwrite)
    else:
        result = convert_to_folder(opened, str(name), overwrite=overwrite)
    for text in result.warnings:
        warn(text)
    if as_json:
        from charlm.render.machine import emit

        record = dataclasses.asdict(result)
        del record["warnings"]
        emit(record)
        return
    out(f"wrote {result.target}: {result.words:,} words x {result.dim}, {result.form}")


def _convert_to_stdout(source: str, form: str | None, *, as_json: bool) -> None:
    if as_json:
        raise click.UsageError(
            "- sends the vectors to standard output, where --json writes: drop it"
        )
    if form == "binary" and is_terminal(sys.stdout):
        raise click.UsageError(
            "binary vectors are not for a terminal: send them to a file or program"
        )
    from charlm.tasks.vectors_convert import convert_to_blocks

    result, blocks = convert_to_blocks(open_told(source), form)
    for text in result.warnings:
        warn(text)
    for block in blocks:
        out_bytes(block)
    flush_out()
