"""How probable a spelling is: a small character model of words, for words a vocabulary lacks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

ORDER = 5
CODE_POINTS = 0x110000
_BEGIN = "\ufdd0"  # a code point that stands for no character
_END = ""


class SpellingModel:
    """p(spelling of a word): its characters and its end, each after at most four before it.

    Orders are interpolated by Witten and Bell's rule down to the uniform distribution over all
    code points, so that every word has a price.

    Source:
        Witten and Bell (1991), the zero-frequency problem, method C.

    Example:
        >>> model = SpellingModel(["walked", "talked", "looked"])
        >>> model.log_prob("booked") > model.log_prob("dekoob")
        True
    """

    def __init__(self, words: Iterable[str], *, order: int = ORDER) -> None:
        self.order = order
        self._follow: dict[str, Counter[str]] = {}
        for word in words:
            padded = _BEGIN * (order - 1) + word
            for place in range(order - 1, len(padded) + 1):
                char = padded[place : place + 1] or _END
                for length in range(order):
                    self._follow.setdefault(padded[place - length : place], Counter())[char] += 1
        self._totals = {context: sum(seen.values()) for context, seen in self._follow.items()}

    def log_prob(self, word: str) -> float:
        """Return the natural logarithm of the probability of a spelling, its end included."""
        padded = _BEGIN * (self.order - 1) + word
        places = range(self.order - 1, len(padded) + 1)
        return math.fsum(math.log(self._prob(padded, place)) for place in places)

    def _prob(self, padded: str, place: int) -> float:
        char = padded[place : place + 1] or _END
        prob = 1.0 / (CODE_POINTS + 1)
        for length in range(self.order):
            context = padded[place - length : place]
            seen = self._follow.get(context)
            if seen is None:
                break
            kinds = len(seen)
            prob = (seen[char] + kinds * prob) / (self._totals[context] + kinds)
        return prob
