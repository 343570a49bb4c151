"""Labelled rows: CSV and TSV, with or without a header."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from charlm.base.errors import CorpusError
from charlm.base.registry import did_you_mean
from charlm.classifying.labelled import Labelled

LABEL_NAMES = frozenset({"label", "labels", "class", "category", "target", "sentiment", "topic"})
TEXT_NAMES = frozenset(
    {"text", "sentence", "title", "description", "content", "body", "review", "message"}
)
_MOST_CELL = 1 << 30
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LOOKED_AT = 20  # rows that the separator is told by
Rows = Iterator[tuple[int, list[str]]]


class Columns(NamedTuple):
    """Which columns are the label and the text, by name or by number from 1.

    Empty ones are found: in a header, a first row with a cell of `LABEL_NAMES` and one of
    `TEXT_NAMES`, by these names; without one the label is the first, the text all others.
    """

    label: str = ""
    text: tuple[str, ...] = ()

    @property
    def are_named(self) -> bool:
        """Whether a column is given by a name, which a header must have."""
        return any(not given.isdecimal() for given in (self.label, *self.text) if given)


class _Places(NamedTuple):
    label: int
    texts: list[int]


def read_csv(name: str, text: str, columns: Columns) -> Iterator[Labelled]:
    r"""Yield the rows of comma-separated values; cells may be quoted, and hold line ends then.

    Semicolons or tabs stand for the commas where more of the first rows agree on their number of
    columns so.

    Raises:
        CorpusError: for quotes or columns that are not as they should be, naming the line.

    Example:
        >>> list(read_csv("a.csv", 'label,title,text\n"a",b,"c, d"\n', Columns()))
        [Labelled(label='a', text='b c, d', line=2)]
        >>> list(read_csv("a.csv", "a;b, c\nd;e\n", Columns()))
        [Labelled(label='a', text='b, c', line=1), Labelled(label='d', text='e', line=2)]
    """
    before = csv.field_size_limit(_MOST_CELL)  # its own limit is 131,072 characters
    try:
        separator = max(_SEPARATORS, key=lambda one: _agreeing(text, one))
        rows = _csv_rows(name, text, separator)
    finally:
        csv.field_size_limit(before)
    return _records(name, iter(rows), columns, separator)


def read_tsv(name: str, text: str, columns: Columns) -> Iterator[Labelled]:
    r"""Yield the rows of tab-separated values; quotes mean nothing.

    Raises:
        CorpusError: for columns that are not as they should be, naming the line.
    """
    lines = enumerate(text.split("\n"), 1)
    rows = ((number, line.split("\t")) for number, line in lines if line.strip())
    return _records(name, rows, columns)


def _agreeing(text: str, separator: str) -> tuple[int, int]:
    """Return how well a separator suits: what is larger suits better.

    First how many of the first rows have as many columns as the first, which has several; then,
    less than zero, how many different first cells they have, since labels come again.
    """
    widths: list[int] = []
    firsts: set[str] = set()
    with contextlib.suppress(csv.Error):
        for row in itertools.islice(_reader(text, separator), _LOOKED_AT):
            if any(cell.strip() for cell in row):
                widths.append(len(row))
                firsts.add(row[0])
    return (widths.count(widths[0]) if widths and widths[0] > 1 else 0, -len(firsts))


def _reader(text: str, separator: str) -> Any:
    # By "\n" alone: splitlines would also cut at separators that stand inside cells.
    return csv.reader(io.StringIO(text, newline="\n"), delimiter=separator, strict=True)


def _csv_rows(name: str, text: str, separator: str) -> list[tuple[int, list[str]]]:
    rows: list[tuple[int, list[str]]] = []
    begun = 1
    reader = _reader(text, separator)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((begun, row))
            begun = reader.line_num + 1
    except csv.Error as error:
        kind = "comma-separated values" if separator == "," else f"CSV by {_SEPARATORS[separator]}"
        raise CorpusError(
            f"{name}, line {begun}: {error}; expected {kind}, quotes inside "
            'quoted cells doubled ("")'
        ) from error
    return rows


def _records(name: str, rows: Rows, columns: Columns, separator: str = "\t") -> Iterator[Labelled]:
    first = next(rows, None)
    if first is None:
        return
    number, row = first
    if len(row) < 2:
        parting = "tabs" if separator == "\t" else "commas, semicolons or tabs"
        raise CorpusError(
            f"{name}, line {number}: 1 column; expected a label and a text, parted by {parting} "
            "(another form of file is said with --format)"
        )
    has_header = columns.are_named or _is_header(row)
    places = _places(name, number, row, columns, has_header)
    if not has_header:
        yield _record(number, row, places)
    for line, cells in rows:
        if len(cells) != len(row):
            raise CorpusError(
                f"{name}, line {line}: {_count(len(cells))} parted by {_SEPARATORS[separator]}, "
                f"expected {len(row)} as in line {number}; cells with separators in them need "
                "quotes (CSV)"
            )
        yield _record(line, cells, places)


def _count(number: int) -> str:
    return f"{number} column{'' if number == 1 else 's'}"


def _record(line: int, cells: list[str], places: _Places) -> Labelled:
    texts = (cells[place].strip() for place in places.texts)
    return Labelled(cells[places.label].strip(), " ".join(filter(None, texts)), line)


def _is_header(row: list[str]) -> bool:
    names = {cell.strip().lower() for cell in row}
    return bool(names & LABEL_NAMES and names & TEXT_NAMES)


def _places(name: str, line: int, row: list[str], columns: Columns, has_header: bool) -> _Places:
    names = [cell.strip().lower() if has_header else "" for cell in row]

    def find(given: str) -> int:
        if given.isdecimal() and 1 <= int(given) <= len(row):
            return int(given) - 1
        if not given.isdecimal() and given.lower() in names:
            return names.index(given.lower())
        what = f"{len(row)} columns" if given.isdecimal() else ", ".join(row)[:200]
        near = did_you_mean(given, row)
        raise CorpusError(f"{name}, line {line}: no column {given!r} in {what}{near}")

    if columns.label:
        label = find(columns.label)
    else:
        label = next((place for place, one in enumerate(names) if one in LABEL_NAMES), 0)
    texts = [find(given) for given in columns.text]
    others = [place for place in range(len(row)) if place != label]
    known = [place for place in others if names[place] in TEXT_NAMES]
    if label in texts:
        raise CorpusError(f"{name}, line {line}: the label's column is one of the text's, too")
    return _Places(label, texts or known or others)
