"""Annotated sentences: CoNLL-U, or columns of words and tags with a blank line between sentences.

The first line that is no comment decides: ten columns parted by tabs whose first is a word's
number are CoNLL-U; else columns are parted by tabs, where that line has one, or by blanks. Every
line has as many columns as the first. In columns the word stands first, its tag last, unless a
number says which. In CoNLL-U ranges such as `1-2` and empty nodes such as `1.1` are no words.
Prose is refused: a line of very many columns parted by blanks, or of words alone, without tabs.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

from charlm.base.errors import CorpusError
from charlm.base.registry import did_you_mean

CONLLU_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_ID = re.compile(r"[1-9]\d*([-.]\d+)?")
_FORM = 1
_MOST_COLUMNS = 40  # parted by blanks; CoNLL-2009 and -2012 need some 20, a line of prose has more
_EXPECTED = "expected CoNLL-U, or a word and its tag a line"


@dataclasses.dataclass(frozen=True, slots=True)
class Sentence:
    """Words with their tags, and the line where they begin.

    Attributes:
        words, tags: as many of each; `tags` is empty where none was asked for.
        line: of the first word in its file, from 1.
        lines: all lines of the sentence, comments too, where they were to be kept.
        column: that the tags came from, as `upos`, or `tag` where columns have no names.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    line: int
    lines: tuple[str, ...] = ()
    column: str = "tag"


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """How the columns of a file lie; `tag` is None where none was asked for.

    Attributes:
        name: of the column of tags, as `upos`, or `tag` where columns have no names.
    """

    is_conllu: bool
    separator: str | None
    width: int
    word: int
    tag: int | None
    name: str


def read_sentences(
    pieces: Iterable[str],
    where: str,
    column: str | None = "",
    *,
    conllu_column: str = "",
    keep_lines: bool = False,
) -> Iterator[Sentence]:
    """Yield the sentences of annotated text.

    Args:
        pieces: the text, cut anywhere.
        where: the file's name for messages.
        column: of the tags: a CoNLL-U column by name, or a column by its number from 1; empty
            for `conllu_column` or the last column, None for no tags.
        conllu_column: the column of CoNLL-U that is meant where `column` is empty; empty for
            `upos`.
        keep_lines: keep the lines of each sentence.

    Raises:
        CorpusError: for a line whose columns are not as many as the first line's, or an unknown
            column; the message names the line.

    Example:
        >>> [(s.words, s.tags) for s in read_sentences(["I\\tPRON\\nsaw\\tVERB\\n"], "a.tsv")]
        [(('I', 'saw'), ('PRON', 'VERB'))]
    """
    layout: Layout | None = None
    words: list[str] = []
    tags: list[str] = []
    lines: list[str] = []
    begun = 0
    for number, line in enumerate(_lines(pieces), 1):
        if not line.strip():
            if words and layout is not None:
                yield Sentence(tuple(words), tuple(tags), begun, tuple(lines), layout.name)
            words, tags, lines = [], [], []
            continue
        if keep_lines:
            lines.append(line)
        if _is_comment(line, layout):
            continue
        if layout is None:
            layout = find_layout(line, column, f"{where}, line {number}", conllu_column)
        cells = line.split(layout.separator)
        if len(cells) != layout.width:
            hint = "" if layout.separator else f"; {_EXPECTED}"
            raise CorpusError(
                f"{where}, line {number}: {len(cells)} columns, expected {layout.width} as in the "
                f"lines before{hint}"
            )
        if layout.is_conllu and not is_word_id(cells[0], f"{where}, line {number}"):
            continue
        begun = begun if words else number
        words.append(cells[layout.word])
        if layout.tag is not None:
            tags.append(cells[layout.tag])
    if words and layout is not None:
        yield Sentence(tuple(words), tuple(tags), begun, tuple(lines), layout.name)


def find_layout(line: str, column: str | None, where: str, conllu_column: str = "") -> Layout:
    """Return how the columns lie that a first line shows.

    Raises:
        CorpusError: if there is no such column, a single one where two are needed, or if the line
            is prose.
    """
    cells = line.split("\t")
    if len(cells) == len(CONLLU_COLUMNS) and _ID.fullmatch(cells[0]):
        name = column or conllu_column or "upos"
        if name.lower() not in CONLLU_COLUMNS:
            near = did_you_mean(name, CONLLU_COLUMNS)
            known = ", ".join(CONLLU_COLUMNS)
            raise CorpusError(f"{where}: CoNLL-U has no column {name!r}{near}; known: {known}")
        tag = None if column is None else CONLLU_COLUMNS.index(name.lower())
        return Layout(True, "\t", len(cells), _FORM, tag, name.lower())
    separator = "\t" if len(cells) > 1 else None
    width = len(line.split(separator))
    if column is None and separator is None:
        raise CorpusError(
            f"{where}: no tab in {_shown(line)}; expected CoNLL-U, {len(CONLLU_COLUMNS)} columns "
            "parted by tabs"
        )
    if column is None:
        return Layout(False, separator, width, 0, None, "tag")
    if separator is None and width > _MOST_COLUMNS:
        raise CorpusError(f"{where}: {width:,} words parted by blanks, {_shown(line)}; {_EXPECTED}")
    if width < 2:
        raise CorpusError(
            f"{where}: one column, expected a word and its tag parted by a tab, or CoNLL-U"
        )
    if not column:
        return Layout(False, separator, width, 0, width - 1, "tag")
    if not column.isdecimal() or not 2 <= int(column) <= width:
        raise CorpusError(
            f"{where}: no column {column!r}; these columns have no names: give a number from 2 to "
            f"{width}"
        )
    return Layout(False, separator, width, 0, int(column) - 1, "tag")


def is_word_id(cell: str, where: str) -> bool:
    """Return whether a CoNLL-U line is a word's own, and no range or empty node.

    Raises:
        CorpusError: if its first column is no number of either.
    """
    found = _ID.fullmatch(cell)
    if found is None and not re.fullmatch(r"0\.\d+", cell):
        raise CorpusError(f"{where}: {cell[:40]!r} is no number of a word")
    return found is not None and found[1] is None


def _is_comment(line: str, layout: Layout | None) -> bool:
    """Whether a line is none of words: `#` begins one, unless it is a word in a column."""
    if not line.startswith("#"):
        return False
    if layout is None:
        return line.startswith("# ") or "\t" not in line
    return layout.is_conllu or (layout.separator == "\t" and "\t" not in line)


def _shown(line: str) -> str:
    return repr(line if len(line) <= 40 else f"{line[:40]}…")


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        yield from whole
    if rest:
        yield rest
