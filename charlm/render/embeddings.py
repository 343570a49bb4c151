"""Vectors of tokens as JSON lines; occurrences of words in their lines."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from charlm.render.console import out
from charlm.render.machine import json_line

if TYPE_CHECKING:
    from charlm.tasks.embed import Embedded
    from charlm.tasks.embed_neighbors import Occurrence

DECIMALS = 7  # beyond them a float32 near 1 knows nothing
AROUND = 32
TOKENS = 256


def show_vectors(found: Embedded) -> None:
    """Write tokens and vectors of a text as one line of JSON, rounded to seven decimals.

    A few tokens at a time: the numbers of a long text take far more room as text.
    """
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    head = json_line({"tokens": found.tokens}, ascii_only=ascii_only)
    out(f'{head[:-1]}, "vectors": [', end="", trusted=True)
    for start in range(0, len(found.vectors), TOKENS):
        some = found.vectors[start : start + TOKENS].astype("float64").round(DECIMALS)
        before = ", " if start else ""
        out(before + json.dumps(some.tolist())[1:-1], end="", trusted=True)
    out("]}", trusted=True)


def show_occurrences(found: Sequence[Occurrence], *, as_json: bool) -> None:
    """Write occurrences as JSON lines, or as a table with each word marked in what is around it."""
    from charlm.render.machine import emit
    from charlm.render.tables import show_table

    if as_json:
        for one in found:
            record = dataclasses.asdict(one)
            del record["end"]
            emit(record, flush=False)
        return
    rows = [[f"{one.similarity:.4f}", marked(one)] for one in found]
    if rows:
        show_table(("similarity", "occurrence"), rows, right=(0,))
    else:
        out("no words to compare with")


def marked(found: Occurrence) -> str:
    """Return the word in square brackets with some of its line on both sides."""
    before, after = found.context[: found.start], found.context[found.end :]
    left = before if len(before) <= AROUND else "…" + before[-AROUND:]
    right = after if len(after) <= AROUND else after[:AROUND] + "…"
    return f"{left}[{found.context[found.start : found.end]}]{right}"
