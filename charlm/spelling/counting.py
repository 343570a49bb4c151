"""From a text to what a speller is made of: words, how often, with a capital or not, and n-grams.

Sentences end as they do for a reader of lines (`words`): at full stops, question and exclamation
marks, at empty lines, and where a line ends and the next begins with a capital.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.spelling.lexicon import END, MOST_PARTS, NUMBER, SPECIALS, UNKNOWN, Lexicon

Int64 = npt.NDArray[np.int64]

_TOKEN = re.compile(r"[^\W\d_]+|\d[\d.,]*|[.!?]+(?=[\s\"'”’)])|\n(?=\s*[^\sa-zß-ÿ])")
_JOINED = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)+")
_COMMON_LETTER = 2e-5  # share of all letters that a letter of the alphabet has
_MOST_LETTERS = 120
_LONGEST = 60
_JOINED_SHARE = 0.1  # of a word's occurrences, to take it with 's for a word of its own
_JOINED_COUNT = 4
_COMMON_COUNT, _COMMON_RANK = 20, 3_000
_RARE_WORDS = 100_000


class Counted(NamedTuple):
    """Tokens of a text and what they are.

    Attributes:
        ids: (time,), numbers in `tokens`.
        tokens: distinct tokens as they were written.
        joined: words with apostrophes, in lower case, and how often they came.
    """

    ids: npt.NDArray[np.int32]
    tokens: list[str]
    joined: Counter[str]


class Counting:
    """Counts a text that comes in pieces."""

    def __init__(self) -> None:
        numbers: defaultdict[str, int] = defaultdict()
        numbers.default_factory = numbers.__len__
        self._numbers = numbers
        self._parts: list[npt.NDArray[np.int32]] = []
        self._joined: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Count the next piece."""
        found = map(self._numbers.__getitem__, _TOKEN.findall(text))
        self._parts.append(np.fromiter(found, dtype=np.int32))
        if "'" in text or "’" in text:
            self._joined.update(word.lower().replace("’", "'") for word in _JOINED.findall(text))

    def finish(self) -> Counted:
        """Return all that was counted."""
        ids = np.concatenate([*self._parts, np.zeros(0, np.int32)])
        self._parts.clear()
        return Counted(ids, list(self._numbers), self._joined)


class Vocabulary(NamedTuple):
    """What of the words is kept.

    Attributes:
        lexicon: the words that are known.
        ids: (time,), the text in numbers of the lexicon; each sentence ends with END.
        rare: words that are not kept.
    """

    lexicon: Lexicon
    ids: npt.NDArray[np.int32]
    rare: list[str]


def choose_vocabulary(counted: Counted, *, min_count: int, most: int) -> Vocabulary:
    """Return the words that came `min_count` times or more, at most so many."""
    lowered = [token.lower() for token in counted.tokens]
    counts = np.bincount(counted.ids, minlength=len(lowered))
    letters: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for token, count in zip(lowered, counts.tolist(), strict=True):
        if token[:1].isalpha():
            totals[token] += count
    for token, count in totals.items():
        for letter in token:
            letters[letter] += count
    alphabet = _alphabet(letters)
    known = frozenset(alphabet)
    fits = [word for word in totals if len(word) <= _LONGEST and known.issuperset(word)]
    kept = sorted(
        (word for word in fits if totals[word] >= min_count), key=lambda w: (-totals[w], w)
    )
    kept = kept[: most - len(SPECIALS)]
    words = [*SPECIALS, *kept]
    numbers = {word: number for number, word in enumerate(words)}
    renamed = np.array([_number(token, numbers) for token in lowered], dtype=np.int32)
    ids = renamed[counted.ids] if len(renamed) else counted.ids
    capitals = _capitals(counted, ids, renamed, len(words))
    joined = _choose_joined(counted.joined, numbers, totals)
    rare = [word for word in fits if word not in numbers]
    if len(rare) < 1000:
        rare += kept[len(kept) // 2 :]
    lexicon = Lexicon(words, joined, alphabet + "'", capitals)
    return Vocabulary(lexicon, _sentences(ids), rare[-_RARE_WORDS:])


def _alphabet(letters: Counter[str]) -> str:
    total = sum(letters.values())
    common = [
        letter
        for letter, count in letters.most_common(_MOST_LETTERS)
        if count >= total * _COMMON_LETTER and letter.isalpha()
    ]
    return "".join(common)


def _number(token: str, numbers: dict[str, int]) -> int:
    if token[0] in ".!?\n":
        return END
    if token[0].isdigit():
        return NUMBER
    return numbers.get(token, UNKNOWN)


def _capitals(
    counted: Counted, ids: npt.NDArray[np.int32], renamed: npt.NDArray[np.int32], size: int
) -> npt.NDArray[np.uint8]:
    """Return of each word's occurrences inside sentences how many of 255 have a capital.

    Only sentences that begin with a capital tell.
    """
    has_capital = np.array([token[:1] != token[:1].lower() for token in counted.tokens], dtype=bool)
    flags = has_capital[counted.ids] if len(ids) else np.zeros(0, dtype=bool)
    ends = ids == END
    begins = np.ones(len(ids), dtype=bool)
    begins[1:] = ends[:-1]
    sentence = np.cumsum(begins)
    telling = np.zeros(int(sentence[-1]) + 1 if len(ids) else 1, dtype=bool)
    telling[sentence[begins & flags]] = True
    inside = ~begins & ~ends & telling[sentence]
    total = np.bincount(ids[inside], minlength=size)
    capital = np.bincount(ids[inside & flags], minlength=size)
    # a word that no such sentence has says little either way
    share = (capital + 0.5) / (total + 2.0)
    return np.rint(255.0 * share).astype(np.uint8)


def _choose_joined(
    joined: Counter[str], numbers: dict[str, int], totals: Counter[str]
) -> list[str]:
    """Return the words with apostrophes that are words of their own: don't, it's, o'clock."""
    kept = []
    for word, count in joined.most_common():
        parts = word.split("'")
        if count < _JOINED_COUNT or len(parts) > MOST_PARTS:
            continue
        if any(part not in numbers for part in parts):
            continue
        common = count >= _COMMON_COUNT and numbers[parts[0]] < _COMMON_RANK
        if parts[-1] == "s" and not common and count < _JOINED_SHARE * totals[parts[0]]:
            continue
        kept.append(word)
    return kept


def _sentences(ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return ids without empty sentences, END at the end."""
    ids = np.append(ids, np.int32(END))
    ends = ids == END
    empty = ends.copy()
    empty[1:] &= ends[:-1]
    kept: npt.NDArray[np.int32] = ids[~empty]
    return kept


def choose_min_counts(ids: Sequence[int] | npt.NDArray[np.int32], order: int) -> tuple[int, ...]:
    """Return from which count on n-grams are kept: all of a short text, fewer of a long one."""
    size = len(ids)
    if size < 2_000_000:
        return ()
    return (1, 1, 2, 2, 2, 2)[: order - 1] if size < 10_000_000 else (1, 2, 2, 2, 2, 2)[: order - 1]
