"""Which form a labelled file has, and its records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from charlm.classifying.json_lines import read_json
from charlm.classifying.labelled import Labelled
from charlm.classifying.lines import MARK, read_marked, read_spaced
from charlm.classifying.tables import Columns, read_csv, read_tsv
from charlm.text.expanding import SUFFIXES

FORMATS = ("csv", "tsv", "jsonl", "fasttext", "space")
_NAMED = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
_JSON = re.compile(r'\s*(\{\s*"[^"]*"\s*:|\[\s*(\{|$)|\{\s*$)')
_QUOTED = re.compile(r'".*"[,;]')
_LOOKED_AT = 20  # lines that the form is told by


def sniff_format(name: str, text: str) -> str:
    r"""Return the form of a labelled file: what its name says, else what its first lines say.

    The rule: a name that ends in `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.json` (or these and the
    suffix of a compressed file) says so. Else, of the first lines that are not blank: the first
    begins with `__label__`: `fasttext`; it begins with an object or an array of JSON: `jsonl`; all
    have a tab: `tsv`; all begin with a quoted cell and a comma or semicolon after it: `csv`;
    anything else: `space`, a label, a blank, the text.

    Example:
        >>> [sniff_format("a.txt", text) for text in ("__label__x y", "x\ty", '"x","y"', "x y")]
        ['fasttext', 'tsv', 'csv', 'space']
        >>> sniff_format("a.csv.gz", "x y")
        'csv'
    """
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes[-2:]]
    if suffixes and suffixes[-1] in SUFFIXES:
        suffixes.pop()
    if suffixes and suffixes[-1] in _NAMED:
        return _NAMED[suffixes[-1]]
    first = [line for line in text[: 1 << 20].split("\n") if line.strip()][:_LOOKED_AT]
    if first and first[0].lstrip().startswith(MARK):
        return "fasttext"
    if first and _JSON.match(first[0]):
        return "jsonl"
    if first and all("\t" in line for line in first):
        return "tsv"
    if first and all(_QUOTED.match(line) for line in first):
        return "csv"
    return "space"


def read_records(name: str, text: str, form: str, columns: Columns) -> Iterator[Labelled]:
    """Yield the records of a labelled file; blank lines are skipped.

    Args:
        name: of the file, for messages.
        text: all of it, its line ends normalised.
        form: one of `FORMATS`.
        columns: which column or key is what, for `csv`, `tsv` and `jsonl`.

    Raises:
        CorpusError: naming file and line, for what is malformed.
    """
    if form == "csv":
        return read_csv(name, text, columns)
    if form == "tsv":
        return read_tsv(name, text, columns)
    if form == "jsonl":
        return read_json(name, text, columns)
    return read_marked(name, text) if form == "fasttext" else read_spaced(name, text)
