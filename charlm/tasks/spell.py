"""Correct lines with a speller."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from charlm.base.errors import CheckpointError, TaskError
from charlm.spelling.corrector import CorrectedLine, Corrector, Judgement
from charlm.spelling.folder import KIND, restore_speller
from charlm.spelling.speller import Speller
from charlm.spelling.technical import TECHNICAL
from charlm.store.checkpoint import load_model
from charlm.store.locate import find_model
from charlm.tasks.spell_config import SpellConfig

_LONG_LINE = 1 << 15
_TOGETHER = 1 << 14  # characters of lines that are corrected together
_MOST_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class OpenSpeller:
    """A speller ready to be asked. `note` says which was chosen, where nobody named one."""

    name: str
    folder: Path
    speller: Speller
    note: str = ""


def open_speller(name: str | None = None) -> OpenSpeller:
    """Return the speller of that name or folder; None takes the newest.

    Raises:
        CheckpointError: if there is none, or it is damaged.
        TaskError: if none was made yet.
    """
    try:
        found = find_model(name, (KIND,))
    except CheckpointError as error:
        if name is not None:
            raise
        raise TaskError(
            "no speller yet; charlm train speller TEXT… makes one of your own text, "
            "charlm train speller of the built-in one"
        ) from error
    stored = load_model(found.folder, kinds=(KIND,))
    return OpenSpeller(
        found.folder.resolve().name, found.folder, restore_speller(stored), found.how
    )


def read_words(path: Path) -> list[str]:
    """Return the words of a file, one a line; empty lines and those from # on are skipped.

    Raises:
        TaskError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > _MOST_BYTES:
        raise TaskError(f"{path} has more than {_MOST_BYTES >> 20} MiB; expected a list of words")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise TaskError(f"{path}, line {line}: not UTF-8; expected a word a line") from error
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [word for line in lines for word in line.split()]


class Spelling:
    """Corrects a text line by line, under some settings."""

    def __init__(
        self,
        opened: OpenSpeller,
        config: SpellConfig,
        *,
        words: Iterable[str] = (),
        ignore: Iterable[str] = (),
    ) -> None:
        speller = opened.speller
        speller.candidates.add_words(words)
        speller.candidates.leave_alone([*TECHNICAL, *ignore])
        odds = math.log(config.confidence / (1.0 - config.confidence))
        weights = dataclasses.replace(speller.weights, margin=speller.weights.margin + odds)
        self._corrector = Corrector(speller, weights)
        self._most = config.max_changes

    def correct(self, lines: Sequence[str], *, all_words: bool = False) -> Iterator[CorrectedLine]:
        """Yield the corrections of the next lines, which come without their line ends."""
        for group in _groups(lines):
            if len(group) == 1 and len(group[0]) > _LONG_LINE:
                yield self._limited(self._long(group[0], all_words))
                continue
            for found in self._corrector.correct(group, all_words=all_words):
                yield self._limited(found)

    def _limited(self, line: CorrectedLine) -> CorrectedLine:
        if self._most is None or len(line.changes) <= self._most:
            return line
        surest = sorted(line.changes, key=lambda change: -change.gain)[: self._most]
        return with_changes(line, surest)

    def _long(self, line: str, all_words: bool) -> CorrectedLine:
        """Correct a line in parts that are cut at blanks."""
        judged: list[Judgement] = []
        start = 0
        while start < len(line):
            end = min(start + _LONG_LINE, len(line))
            if end < len(line):
                blank = line.rfind(" ", start + 1, end)
                end = blank + 1 if blank > 0 else _next_blank(line, end)
            (part,) = self._corrector.correct([line[start:end]], all_words=all_words)
            judged += [
                dataclasses.replace(one, start=one.start + start, end=one.end + start)
                for one in part.judgements
            ]
            start = end
        whole = CorrectedLine(line, line, tuple(judged))
        return with_changes(whole, whole.changes)


def with_changes(line: CorrectedLine, wanted: Iterable[Judgement]) -> CorrectedLine:
    """Return a line with these of its changes alone; the other words stay as they were."""
    places = {change.start: change.new for change in wanted}
    judged = tuple(
        dataclasses.replace(one, new=places.get(one.start, one.old)) for one in line.judgements
    )
    parts, place = [], 0
    for one in judged:
        if one.new != one.old:
            parts += [line.text[place : one.start], one.new]
            place = one.end
    return CorrectedLine(line.text, "".join([*parts, line.text[place:]]), judged)


def _next_blank(line: str, start: int) -> int:
    blank = line.find(" ", start)
    return len(line) if blank < 0 else blank + 1


def _groups(lines: Sequence[str]) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for line in lines:
        if group and (size + len(line) > _TOGETHER or len(line) > _LONG_LINE):
            yield group
            group, size = [], 0
        group.append(line)
        size += len(line) + 1
        if len(line) > _LONG_LINE:
            yield group
            group, size = [], 0
    if group:
        yield group
