"""Text with slips put in at random: what corrections are tried out on where no errors are known."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_WORD = re.compile(r"(?<!\S)[^\W\d_]{2,}")
_CHANCE = 0.04  # of a slip, a letter of a word


def add_slips(lines: Sequence[str], seed: int = 0) -> list[str]:
    """Return lines of which some words have a letter changed, left out, put in or exchanged.

    New letters are drawn as they are frequent in the lines. Only words in lower case change, and
    no blank comes or goes.
    """
    rng = np.random.default_rng(seed)
    letters = [letter for line in lines for letter in line if letter.isalpha() and letter.islower()]

    def slip(match: re.Match[str]) -> str:
        word = match[0]
        if not word.islower() or rng.random() >= _CHANCE * len(word):
            return word
        return _slipped(word, letters[rng.integers(len(letters))], rng)

    return [_WORD.sub(slip, line) for line in lines]


def _slipped(word: str, letter: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(len(word)))
    kind = rng.random()
    if kind < 0.4:
        return word[:at] + letter + word[at + 1 :]
    if kind < 0.6:
        return word[:at] + word[at + 1 :]
    if kind < 0.8:
        return word[:at] + letter + word[at:]
    at = min(at, len(word) - 2)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def count_wrong(right: str, found: str) -> int:
    """Return how many words of a text are not the right ones; a lost or a new blank is one, too.

    Example:
        >>> count_wrong("a lot of it", "a lot off it"), count_wrong("a lot of it", "alot off it")
        (1, 3)
    """
    wanted, words = right.split(), found.split()
    start = 0
    while start < min(len(wanted), len(words)) and wanted[start] == words[start]:
        start += 1
    end = 0
    most = min(len(wanted), len(words)) - start
    while end < most and wanted[-1 - end] == words[-1 - end]:
        end += 1
    wanted, words = wanted[start : len(wanted) - end], words[start : len(words) - end]
    if len(wanted) == len(words):
        return sum(one != other for one, other in zip(wanted, words, strict=True))
    return max(len(wanted), len(words))
