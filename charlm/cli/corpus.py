"""`charlm corpus list|show|fetch|add`."""

from __future__ import annotations

import dataclasses

import click

from charlm.cli.command import Command
from charlm.cli.completion import complete_corpus, complete_downloadable, complete_file
from charlm.cli.options import encoding_option, json_option
from charlm.render.console import out, talk, warn


@click.command(cls=Command, examples=[("charlm corpus list", "the built-in corpora and your own")])
@json_option
def list_corpora(as_json: bool) -> None:
    """List the corpora."""
    from charlm.tasks.corpus import corpora

    found = corpora()
    if as_json:
        from charlm.render.machine import emit

        for corpus in found:
            emit(dataclasses.asdict(corpus))
        return
    from charlm.render.tables import show_table

    show_table(("name", "description"), [(c.name, c.description) for c in found])


@click.command(cls=Command, examples=[("charlm corpus show python", "its size and how it begins")])
@click.argument(
    "corpus",
    shell_complete=complete_corpus,
    help="a corpus by name, or files, folders, globs, - for stdin",
)
@encoding_option
@json_option
def show_corpus(corpus: str, encoding_errors: str, as_json: bool) -> None:
    """Tell about one corpus, with its first lines."""
    from charlm.tasks.corpus import corpus_facts

    facts = corpus_facts(corpus, encoding_errors=encoding_errors)
    for warning in facts.warnings:
        warn(warning)
    if as_json:
        from charlm.render.machine import emit

        record = dataclasses.asdict(facts)
        del record["warnings"]
        emit(record)
        return
    from charlm.render.tables import show_facts

    show_facts(
        [
            ("name", facts.name),
            ("about", facts.description),
            ("chars", f"{facts.chars:,} ({facts.distinct_chars:,} different)"),
            ("lines", f"{facts.lines:,}"),
        ]
    )
    out()
    out(facts.head, end="" if facts.head.endswith("\n") else "\n")


@click.command(
    cls=Command,
    examples=[
        (
            "charlm corpus fetch ptb",
            "then: charlm train ptb --valid ptb-valid --tokenizer whitespace",
        ),
        ("charlm corpus fetch text8", "31 MB; goes on where an earlier try broke off"),
    ],
)
@click.argument(
    "name", shell_complete=complete_downloadable, help="the corpus: see charlm corpus list"
)
@click.option("--overwrite", is_flag=True, help="replace corpora of the same names")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
def fetch_corpus(name: str, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Download a well-known corpus.

    It is checked by its sha256. A download that broke off is resumed.
    """
    from charlm.render.downloads import open_download_progress
    from charlm.tasks import fetch

    about = fetch.downloadable(name)
    if not quiet:
        talk(f"{name}: {about.description}; licence: {about.licence}")
    with open_download_progress(quiet=quiet) as progress:
        found = fetch.fetch_corpus(name, progress.show, overwrite=overwrite)
    if as_json:
        from charlm.render.machine import emit

        emit(dataclasses.asdict(found))
        return
    verb = "fetched" if found.new else "here already:"
    for corpus, path in zip(found.corpora, found.paths, strict=True):
        out(f"{verb} {corpus} in {path}")
    out(f"try: charlm train {found.corpora[0]}")


@click.command(
    cls=Command, examples=[("charlm corpus add letters mail/*.txt", "then: charlm train letters")]
)
@click.argument("name", help="the name to give it")
@click.argument(
    "file",
    nargs=-1,
    required=True,
    shell_complete=complete_file,
    help="files, folders, globs or - for stdin",
)
@click.option("--overwrite", is_flag=True, help="replace a corpus of that name")
@encoding_option
@json_option
def add_corpus(
    name: str, file: tuple[str, ...], overwrite: bool, encoding_errors: str, as_json: bool
) -> None:
    """Keep a text of your own as a corpus."""
    from charlm.tasks.corpus import keep_corpus

    kept = keep_corpus(name, file, overwrite=overwrite, encoding_errors=encoding_errors)
    for warning in kept.warnings:
        warn(warning)
    if as_json:
        from charlm.render.machine import emit

        emit({"name": kept.name, "path": str(kept.path)})
        return
    out(f"kept {kept.name} in {kept.path}")
    out(f"try: charlm train {kept.name}")
