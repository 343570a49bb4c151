"""Lines in, corrections out: what `charlm spell` asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from charlm.spelling.decode import Decoder, Readings
from charlm.spelling.options import KEEP_UNKNOWN
from charlm.spelling.sentences import Document, Position
from charlm.spelling.speller import Speller
from charlm.spelling.weights import Weights
from charlm.spelling.words import restore_case


class Candidate(NamedTuple):
    """What a word may stand for.

    Attributes:
        text: as it would stand in the line.
        probability: among all candidates.
        context: log p of it and the words behind it, in nats.
        prior: log p of misspelling it so, and how readily such a change is made, weighted.
        score: the sum of both, the first weighted.
    """

    text: str
    probability: float
    context: float
    prior: float
    score: float


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """A word that more than one reading was thought of.

    Attributes:
        start, end: in characters of the line.
        old, new: what stands there, and what should; equal where it is to stay.
        gain: by how many nats `new` is better than `old`.
        known: whether the word is known.
        listing: returns the candidates.
    """

    start: int
    end: int
    old: str
    new: str
    gain: float
    known: bool
    listing: Callable[[], tuple[Candidate, ...]] = dataclasses.field(compare=False, repr=False)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidates, the likeliest first; listed when they are asked for."""
        return self.listing()


@dataclasses.dataclass(frozen=True, slots=True)
class CorrectedLine:
    """A line, what became of it, and what was judged on the way, in order."""

    text: str
    corrected: str
    judgements: tuple[Judgement, ...]

    @property
    def changes(self) -> tuple[Judgement, ...]:
        """The judgements that change something."""
        return tuple(judged for judged in self.judgements if judged.new != judged.old)


class Corrector:
    """Corrects the lines of one text, from its first to its last.

    What it does with a line depends on that line and those before it, never on how many come
    together.
    """

    def __init__(self, speller: Speller, weights: Weights | None = None) -> None:
        self._document = Document(speller.candidates)
        self._candidates = speller.candidates
        weights = weights if weights is not None else speller.weights
        self._decoder = Decoder(speller.candidates, speller.model, weights, speller.judge())

    def correct(self, lines: Sequence[str], *, all_words: bool = False) -> list[CorrectedLine]:
        """Return the corrections of the next lines.

        Args:
            lines: without their line ends.
            all_words: tell of every word, not only of those with more than one reading.
        """
        positions = self._document.read(lines)
        judged: list[list[Judgement]] = [[] for _ in lines]
        if positions:
            readings = self._decoder.decode(positions, lines)
            for number, found in self._judgements(lines, positions, readings, all_words):
                judged[number].append(found)
        return [
            CorrectedLine(line, _apply(line, found), tuple(found))
            for line, found in zip(lines, judged, strict=True)
        ]

    def _judgements(
        self,
        lines: Sequence[str],
        positions: Sequence[Position],
        readings: Readings,
        all_words: bool,
    ) -> list[tuple[int, Judgement]]:
        starts = np.searchsorted(readings.position, np.arange(len(positions) + 1)).tolist()
        options = self._candidates.options
        chosen = readings.chosen.tolist()
        score, option = readings.score.tolist(), readings.option.tolist()
        found: list[tuple[int, Judgement]] = []
        listed = _Listed(readings, options.texts)
        absorbed = -1
        for at, position in enumerate(positions):
            if at == absorbed or position.line < 0 or position.key[0] == "\0":
                continue
            line = lines[position.line]
            if at in readings.merged:
                absorbed = at + 1
                found.append((position.line, self._merged(line, positions, at, readings)))
                continue
            first, last = starts[at], starts[at + 1]
            if last - first < 2 and not all_words:
                continue
            old = line[position.start : position.end]
            best = chosen[at]
            new = old
            if best != first:
                new = restore_case(options.texts[option[best]], old)
            judged = Judgement(
                position.start,
                position.end,
                old,
                new,
                score[best] - score[first],
                bool(options.kinds[option[first]] != KEEP_UNKNOWN),
                partial(listed.candidates, old, first, last),
            )
            found.append((position.line, judged))
        return found

    def _merged(
        self, line: str, positions: Sequence[Position], at: int, readings: Readings
    ) -> Judgement:
        gain, word = readings.merged[at]
        start, end = positions[at].start, positions[at + 1].end
        old = line[start:end]
        new = restore_case(self._candidates.lexicon.surfaces[word], old)
        share = float(1.0 / (1.0 + np.exp(-gain)))
        candidates = (
            Candidate(new, share, 0.0, 0.0, gain),
            Candidate(old, 1.0 - share, 0.0, 0.0, 0.0),
        )
        return Judgement(start, end, old, new, gain, True, lambda: candidates)


class _Listed:
    """The candidates of positions, the likeliest first; all are sorted at once, when one asks."""

    def __init__(self, readings: Readings, texts: Sequence[str]) -> None:
        self._readings = readings
        self._texts = texts

    @cached_property
    def _sorted(self) -> tuple[list[int], list[int], list[list[float]]]:
        """Rows and options by position and score, and what a candidate tells of itself."""
        readings = self._readings
        position, score = readings.position, readings.score.astype(np.float64)
        order = np.lexsort((-score, position))
        best = score[order][np.searchsorted(position, position)]
        shares = np.exp(score - best)
        totals = np.bincount(position, weights=shares, minlength=len(readings.chosen))
        columns = (shares / totals[position], readings.context, readings.prior, score)
        lists = [column[order].tolist() for column in columns]
        return order.tolist(), readings.option[order].tolist(), lists

    def candidates(self, old: str, first: int, last: int) -> tuple[Candidate, ...]:
        """Return those of the rows of one position, the first of which leaves the word."""
        order, options, columns = self._sorted
        found = [
            old if row == first else restore_case(self._texts[option], old)
            for row, option in zip(order[first:last], options[first:last], strict=True)
        ]
        return tuple(map(Candidate, found, *(column[first:last] for column in columns)))


def _apply(line: str, found: Sequence[Judgement]) -> str:
    parts, place = [], 0
    for judged in found:
        if judged.new != judged.old:
            parts += [line[place : judged.start], judged.new]
            place = judged.end
    return "".join([*parts, line[place:]]) if parts else line
