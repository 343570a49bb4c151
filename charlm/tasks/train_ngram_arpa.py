"""Whether what is to be counted is an ARPA file, which is a model counted already."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from charlm.base.errors import CorpusError
from charlm.text.sources import FileSource, Source, standard_input

SUFFIXES = (".arpa", ".arpa.gz", ".arpa.xz", ".arpa.bz2")
_LOOKED_AT = 4096  # bytes
_BEGINNING = re.compile(rb"\s*\\data\\[ \t\r]*$|(?s:.*)^\\data\\\s+ngram 1\s*=", re.MULTILINE)


def find_arpa(specs: Sequence[str]) -> Source | None:
    """Return the ARPA file that is given, known by its name or by how it begins, or None.

    Standard input is looked into without taking anything out of it.

    Raises:
        CorpusError: if it is given among other texts.
    """
    for place, spec in enumerate(specs):
        if not _is_arpa(spec):
            continue
        if len(specs) > 1:
            others = ", ".join([*specs[:place], *specs[place + 1 :]])
            name = "standard input" if spec == "-" else spec
            raise CorpusError(
                f"{name} is an ARPA file, a model counted already; give it alone, without {others}"
            )
        return standard_input() if spec == "-" else FileSource(Path(spec))
    return None


def _is_arpa(spec: str) -> bool:
    if spec.endswith(SUFFIXES):
        return True
    head = b""
    if spec == "-":
        head = _waiting()
    elif Path(spec).is_file():
        with contextlib.suppress(CorpusError), FileSource(Path(spec)).open() as file:
            head = file.read(_LOOKED_AT)  # what is wrong with it, reading all of it will tell
    return _BEGINNING.match(head) is not None


def _waiting() -> bytes:
    """Return how standard input begins, and leave it there."""
    if sys.stdin is None or sys.stdin.closed:
        return b""
    stream = sys.stdin.buffer
    if hasattr(stream, "peek"):
        head: bytes = stream.peek(_LOOKED_AT)
        return head[:_LOOKED_AT]
    place = stream.tell()
    head = stream.read(_LOOKED_AT)
    stream.seek(place)
    return head
