"""`charlm spell --interactive`: shows each change and does what the user says."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import IO, Any

import click

from charlm.render.console import one_line, talk
from charlm.render.spelling import choices
from charlm.spelling.corrector import CorrectedLine, Judgement
from charlm.tasks.spell import with_changes

_HELP = "y, Enter: change  n: leave  1-9: take that  i: always leave this word  q: leave the rest"
_AROUND = 30


class Asking:
    """Asks the user about changes, on the terminal, stdin being the text."""

    def __init__(self, most: int) -> None:
        self._most = min(most, 9)
        self._left: set[str] = set()
        self._done = False
        self._source = _answers()

    def ask(self, line: CorrectedLine) -> CorrectedLine:
        """Return the line with the changes that the user wants."""
        wanted: list[Judgement] = []
        for change in line.changes:
            if self._done or change.old in self._left:
                continue
            new = self._choose(line, change)
            if new is not None:
                wanted.append(new)
        return with_changes(line, wanted)

    def _choose(self, line: CorrectedLine, change: Judgement) -> Judgement | None:
        before = line.text[max(0, change.start - _AROUND) : change.start]
        behind = line.text[change.end : change.end + _AROUND]
        offered = choices(change, self._most)
        listed = "  ".join(f"{number} {text}" for number, text in enumerate(offered, 1))
        talk(one_line(f"{before}[{change.old}]{behind}"))
        while True:
            talk(one_line(f"  {change.old} -> {change.new}?  [y/n/i/q/?]  {listed}"))
            answer = self._source.readline()
            word = answer.strip().lower()
            if not answer or word == "q":
                self._done = True
                return None
            if word in ("", "y"):
                return change
            if word == "n":
                return None
            if word == "i":
                self._left.add(change.old)
                return None
            if word.isdecimal() and 0 < int(word) <= len(offered):
                return dataclasses.replace(change, new=offered[int(word) - 1])
            talk(_HELP)


def _answers() -> IO[str] | Any:
    if sys.stdin.isatty():
        return sys.stdin
    try:
        return open(os.ctermid(), encoding="utf-8", errors="replace")  # noqa: PTH123
    except OSError as error:
        raise click.UsageError("--interactive needs a terminal to ask on") from error
