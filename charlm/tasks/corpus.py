"""The corpora there are: built in, and kept by the user."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

from charlm.text.corpora import add_corpus, describe_corpus, list_corpora, open_corpus
from charlm.text.downloadable import DOWNLOADABLE


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CorpusLine:
    """One corpus of the list; the rest is known of one that is still to be fetched."""

    name: str
    description: str
    here: bool = True
    size_bytes: int | None = None
    licence: str | None = None
    url: str | None = None
    sha256: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CorpusFacts:
    """One corpus in full; `head` is how it begins."""

    name: str
    description: str
    chars: int
    lines: int
    distinct_chars: int
    head: str
    warnings: tuple[str, ...]


def corpora() -> list[CorpusLine]:
    """Return all corpora by name, then those that can be fetched."""
    here = [CorpusLine(name=name, description=describe_corpus(name)) for name in list_corpora()]
    names = {line.name for line in here}
    return here + [_to_fetch(name) for name in DOWNLOADABLE if name not in names]


def _to_fetch(name: str) -> CorpusLine:
    about = DOWNLOADABLE[name]
    how = f"{about.size / 1e6:.0f} MB; charlm corpus fetch {name}"
    return CorpusLine(
        name=name,
        description=f"{about.description} ({how})",
        here=False,
        size_bytes=about.size,
        licence=about.licence,
        url=about.downloads[0].urls[0],
        sha256=about.downloads[0].sha256,
    )


def corpus_facts(
    spec: str, *, head_lines: int = 10, encoding_errors: str = "strict"
) -> CorpusFacts:
    """Return size, character count and beginning of a corpus, or of a file or folder.

    Raises:
        CorpusError: if there is none of that name or it cannot be read.
    """
    corpus = open_corpus([spec], encoding_errors=encoding_errors)
    chars, lines, distinct = 0, 0, set[str]()
    head = ""
    for piece in corpus.pieces():
        if not head:
            head = "".join(itertools.islice(piece.splitlines(keepends=True), head_lines))
        chars += len(piece)
        lines += piece.count("\n")
        distinct.update(piece)
    return CorpusFacts(
        name=corpus.name,
        description=corpus.description,
        chars=chars,
        lines=lines,
        distinct_chars=len(distinct),
        head=head,
        warnings=tuple(corpus.warnings),
    )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class KeptCorpus:
    """A corpus that was kept: its name, where it lies, and what was odd about its text."""

    name: str
    path: Path
    warnings: tuple[str, ...]


def keep_corpus(
    name: str, specs: Sequence[str], *, overwrite: bool = False, encoding_errors: str = "strict"
) -> KeptCorpus:
    """Keep the text of files or folders as a corpus of that name and return where it lies.

    Raises:
        CorpusError: if the name is taken or unfit, or the text cannot be read.
    """
    warnings: list[str] = []
    path = add_corpus(
        name, specs, overwrite=overwrite, encoding_errors=encoding_errors, warnings=warnings
    )
    return KeptCorpus(name=name, path=path, warnings=tuple(warnings))
