"""Tag lines of text, lines of words, or CoNLL-U, with a tagger."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from charlm.base.errors import CheckpointError, CorpusError
from charlm.metrics.spans import Span, is_bio, spans
from charlm.store.checkpoint import load_model
from charlm.store.locate import find_model
from charlm.tagging.folder import KIND, restore_tagger
from charlm.tagging.measuring import TagFigures, measure
from charlm.tagging.reading import CONLLU_COLUMNS, Sentence, is_word_id, read_sentences
from charlm.tagging.tagger import Tagger
from charlm.tagging.words import split_words

if TYPE_CHECKING:
    from charlm.tasks.train_tagger_data import Annotated

INPUTS = ("text", "words", "conllu")


@dataclasses.dataclass(frozen=True, slots=True)
class OpenTagger:
    """A tagger ready to be asked. `note` says which was chosen, where nobody named one."""

    name: str
    folder: Path
    tagger: Tagger
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Tagged:
    """A sentence's words and tags; `lines` are those of CoNLL-U that it came from."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    lines: tuple[str, ...] = ()


def open_tagger(name: str | None = None) -> OpenTagger:
    """Return the tagger of that name or folder; None takes the newest.

    Raises:
        CheckpointError: if there is none, or it is damaged.
    """
    try:
        found = find_model(name, (KIND,))
    except CheckpointError as error:
        if name is not None:
            raise
        raise CheckpointError(
            f"no tagger yet; charlm train tagger makes one of annotated text ({error})"
        ) from error
    stored = load_model(found.folder, kinds=(KIND,))
    folder = found.folder
    return OpenTagger(folder.resolve().name, folder, restore_tagger(stored), found.how)


def tag_lines(tagger: Tagger, lines: Sequence[str], form: str = "text") -> list[Tagged]:
    """Return the words and tags of each line, in order; an empty line has none.

    Args:
        tagger: what decides.
        lines: one text a line.
        form: `text` is cut into words, `words` are parted by blanks already.
    """
    cut: Callable[[str], list[str]] = split_words if form == "text" else str.split
    sentences = [tuple(cut(line)) for line in lines]
    found = tagger.tag(sentences)
    return [Tagged(words, tuple(tags)) for words, tags in zip(sentences, found, strict=True)]


def tag_annotated(tagger: Tagger, pieces: Iterable[str], where: str) -> Iterator[Tagged]:
    """Yield the sentences of CoNLL-U or of columns, tagged anew; their tags are not read.

    Raises:
        CorpusError: for a malformed line.
    """
    held: list[Sentence] = []
    words = 0
    for sentence in read_sentences(pieces, where, None, keep_lines=True):
        held.append(sentence)
        words += len(sentence.words)
        if words > 4096:
            yield from _tagged(tagger, held)
            held, words = [], 0
    yield from _tagged(tagger, held)


def _tagged(tagger: Tagger, sentences: Sequence[Sentence]) -> Iterator[Tagged]:
    found = tagger.tag([sentence.words for sentence in sentences])
    for sentence, tags in zip(sentences, found, strict=True):
        yield Tagged(sentence.words, tuple(tags), sentence.lines)


def conllu_lines(tagged: Tagged, column: str) -> list[str]:
    """Return the CoNLL-U lines of a sentence, its tags in a column.

    Lines that it came from keep all other columns; else those are empty.

    Args:
        tagged: the sentence.
        column: a CoNLL-U column by name; anything else means the last, where the tags then stand
            as `Tag=…`.
    """
    if any("\t" in line for line in tagged.lines):
        return list(_filled(tagged, column))
    rows = [line for line in tagged.lines if line.startswith("#")]
    for number, (word, tag) in enumerate(zip(tagged.tokens, tagged.tags, strict=True), 1):
        cells = [str(number), word, *"_" * 8]
        _set(cells, column, tag)
        rows.append("\t".join(cells))
    return rows


def _filled(tagged: Tagged, column: str) -> Iterator[str]:
    tags = iter(tagged.tags)
    for line in tagged.lines:
        cells = line.split("\t")
        if len(cells) == len(CONLLU_COLUMNS) and is_word_id(cells[0], "the sentence"):
            _set(cells, column, next(tags))
        yield "\t".join(cells)


def _set(cells: list[str], column: str, tag: str) -> None:
    if column in CONLLU_COLUMNS[2:]:
        cells[CONLLU_COLUMNS.index(column)] = tag
    else:
        cells[-1] = f"Tag={tag}" if cells[-1] == "_" else f"{cells[-1]}|Tag={tag}"


def spans_of(tagger: Tagger, tagged: Tagged) -> list[Span] | None:
    """Return the spans that a sentence's tags mark; None where the tagger's tags mark none."""
    return spans(tagged.tags) if is_bio(tagger.config.tags) else None


@dataclasses.dataclass(frozen=True, slots=True)
class TaggerEvaluation:
    """A tagger's figures on annotated files."""

    model: str
    file: str
    figures: TagFigures
    warnings: tuple[str, ...]


def evaluate_tagger(
    opened: OpenTagger, specs: Sequence[str], *, column: str = "", encoding_errors: str = "strict"
) -> TaggerEvaluation:
    """Return the figures of a tagger on annotated files.

    Args:
        opened: the tagger.
        specs: files, or `-`.
        column: of the tags; empty takes the one that the tagger was trained on.
        encoding_errors: what to do with invalid UTF-8.

    Raises:
        CorpusError: if the files cannot be read, or hold none of the tagger's tags.
    """
    from charlm.tasks.train_tagger_data import read_annotated

    own = opened.tagger.config.column
    usual = own if own in CONLLU_COLUMNS else ""
    data = read_annotated(specs, column, encoding_errors, conllu_column=usual)
    _require_known_tag(opened, data)
    found = measure(opened.tagger, data.sentences)
    warnings = list(data.warnings)
    if found.unknown_tags:
        warnings.append(
            f"{found.unknown_tags:,} words of {data.description} have tags that {opened.name} "
            "has never seen; they count as wrong"
        )
    return TaggerEvaluation(opened.name, data.description, found, tuple(warnings))


def _require_known_tag(opened: OpenTagger, data: Annotated) -> None:
    """Raise `CorpusError` unless a file has one of a tagger's tags; prose has none."""
    known = opened.tagger.config.tags
    if any(tag in known for sentence in data.sentences for tag in sentence.tags):
        return
    first = data.sentences[0]
    shown = ", ".join(known[:5]) + (", …" if len(known) > 5 else "")
    raise CorpusError(
        f"{data.description}, line {first.line}: {first.tags[0][:40]!r}, read as the tag of "
        f"{first.words[0][:40]!r}, is none of {opened.name}'s tags, nor is any other in the file; "
        f"expected CoNLL-U, or a word and its tag a line ({shown})"
    )
