"""Words that answer a query, as JSON lines or as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from charlm.render.console import flush_out, out
from charlm.render.tables import show_table

if TYPE_CHECKING:
    from charlm.tasks.neighbors import Answer


def show_answers(answers: Iterable[list[Answer]], *, as_json: bool) -> None:
    """Write answers as JSON lines, or as a table for each query."""
    from charlm.render.machine import emit

    for number, found in enumerate(answers):
        if as_json:
            for one in found:
                emit(dataclasses.asdict(one), flush=False)
        elif found:
            if number:
                out()
            rows = [[one.word, f"{one.similarity:.4f}"] for one in found]
            show_table((found[0].query, "similarity"), rows, right=(1,))
        flush_out()
