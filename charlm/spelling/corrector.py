"""Lines in, corrections out: what `charlm spell` asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from charlm.spelling.decode import Decoder, Readings
from charlm.spelling.options import KEEP_UNKNOWN
from charlm.spelling.sentences import Document, Position
from charlm.spelling.speller import Speller
from charlm.spelling.weights import Weights
from charlm.spelling.words import restore_case


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
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
        candidates: the likeliest first.
    """

    start: int
    end: int
    old: str
    new: str
    gain: float
    known: bool
    candidates: tuple[Candidate, ...]


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
        self._decoder = Decoder(speller.candidates, speller.model, weights, speller.cloze)

    def correct(self, lines: Sequence[str], *, all_words: bool = False) -> list[CorrectedLine]:
        """Return the corrections of the next lines.

        Args:
            lines: without their line ends.
            all_words: tell of every word, not only of those with more than one reading.
        """
        positions = self._document.read(lines)
        judged: list[list[Judgement]] = [[] for _ in lines]
        if positions:
            readings = self._decoder.decode(positions)
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
                self._listed(old, first, last, readings),
            )
            found.append((position.line, judged))
        return found

    def _listed(self, old: str, first: int, last: int, readings: Readings) -> tuple[Candidate, ...]:
        score = readings.score[first:last].astype(np.float64)
        shares = np.exp(score - score.max())
        shares /= shares.sum()
        texts, option = self._candidates.options.texts, readings.option
        listed = []
        for row in np.argsort(-score, kind="stable").tolist():
            text = old
            if row:
                text = restore_case(texts[int(option[first + row])], old)
            listed.append(
                Candidate(
                    text,
                    float(shares[row]),
                    float(readings.context[first + row]),
                    float(readings.prior[first + row]),
                    float(score[row]),
                )
            )
        return tuple(listed)

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
        return Judgement(start, end, old, new, gain, True, candidates)


def _apply(line: str, found: Sequence[Judgement]) -> str:
    parts, place = [], 0
    for judged in found:
        if judged.new != judged.old:
            parts += [line[place : judged.start], judged.new]
            place = judged.end
    return "".join([*parts, line[place:]]) if parts else line
