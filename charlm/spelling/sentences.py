"""From lines to positions: a word with its circumstances, or a fixed token between words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from charlm.spelling.candidates import Candidates
from charlm.spelling.words import BREAK, CAPITAL, CAPITALS, LOWER, NUMBER, WORD, Piece, Reader

START_KEY, END_KEY, NUMBER_KEY, OTHER_KEY, OWN_KEY = "\0start", "\0end", "\0num", "\0other", "\0s"
FIXED_KEYS = (START_KEY, END_KEY, NUMBER_KEY, OTHER_KEY, OWN_KEY)
_CONTEXT = 3  # words of the line before that a line goes on from
_PRIOR_WORDS, _PRIOR_UNKNOWN = 100.0, 2.0


class Position(NamedTuple):
    """A word of a line, or a token between words that is not corrected.

    Attributes:
        line: number of the line among those read together, -1 where nothing stands in a text.
        key: the word's form, or one of FIXED_KEYS.
        initial: whether it begins a sentence.
        seen: how often the form came so far, this time included.
        rate: share of unknown words so far.
        cased: whether its line has words with capitals.
        spaced: whether a single blank parts it from what stands before.
    """

    line: int
    start: int
    end: int
    key: str
    case: int = LOWER
    initial: bool = False
    seen: int = 1
    rate: float = 0.0
    cased: bool = False
    spaced: bool = False


class Document:
    """What is remembered from line to line."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._reader = Reader()
        self._seen: Counter[str] = Counter()
        self._words, self._unknown = _PRIOR_WORDS, _PRIOR_UNKNOWN
        self._last: list[str] = []
        self._open = False

    def read(self, lines: Sequence[str]) -> list[Position]:
        """Return the positions of the next lines."""
        positions: list[Position] = []
        for number, line in enumerate(lines):
            self._read_line(number, line, positions)
        return positions

    def _read_line(self, number: int, line: str, positions: list[Position]) -> None:
        pieces = self._reader.read(line)
        if not pieces:
            self._open = False
            return
        lexicon = self._candidates.lexicon
        words = [piece for piece in pieces if piece.kind == WORD]
        shouted = len(words) > 2 and all(piece.case == CAPITALS for piece in words)
        first = words[0] if words else None
        goes_on = self._open and first is not None and first.case == LOWER
        begun = len(positions)
        positions.append(Position(-1, 0, 0, START_KEY))
        if goes_on:
            positions += [Position(-1, 0, 0, key) for key in self._last]
        for piece in pieces:
            if piece.kind == WORD:
                self._seen[piece.form] += 1
                self._words += 1
                if piece.form not in lexicon.ids and piece.case == LOWER:
                    self._unknown += 1
        rate = self._unknown / self._words
        initial = not goes_on
        cased = not shouted and any(piece.case != LOWER for piece in words)
        for piece in pieces:
            if piece.kind == WORD:
                position = self._position(number, piece, initial, shouted, rate)
                position = position._replace(cased=cased)
                spaced = piece.start > 1 and line[piece.start - 1] == " " != line[piece.start - 2]
                positions.append(position._replace(spaced=spaced))
                if position.end < piece.end:
                    positions.append(Position(number, position.end, piece.end, OWN_KEY))
                initial = False
            elif piece.kind == BREAK:
                positions.append(Position(number, piece.start, piece.end, END_KEY))
                initial = True
            else:
                key = NUMBER_KEY if piece.kind == NUMBER else OTHER_KEY
                positions.append(Position(number, piece.start, piece.end, key))
                initial = False
        keys = [position.key for position in positions[begun + 1 :]]
        self._last = keys[-_CONTEXT:]
        self._open = bool(keys) and keys[-1] != END_KEY

    def _position(
        self, number: int, piece: Piece, initial: bool, shouted: bool, rate: float
    ) -> Position:
        lexicon = self._candidates.lexicon
        form, end = piece.form, piece.end
        if form.endswith("'s") and form not in lexicon.ids:
            form, end = form[:-2], end - 2
        if not lexicon.letters.issuperset(form):
            return Position(number, piece.start, end, OTHER_KEY)
        case = LOWER if shouted and piece.case == CAPITALS else piece.case
        if len(form) == 1 and case == CAPITAL and not initial:
            case = CAPITALS
        return Position(number, piece.start, end, form, case, initial, self._seen[piece.form], rate)
