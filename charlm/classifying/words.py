"""A text as the words that a classifier looks at."""

from __future__ import annotations

import re
from functools import cache

from charlm.text.scripts import TIGHT_LETTERS, mark_class

_ENDINGS = r"n't|'(?:s|re|ve|ll|d|m)(?![a-z])"
_ASCII = re.compile(rf"{_ENDINGS}|[a-z0-9]+|[^\sa-z0-9]", re.IGNORECASE)


@cache
def _any_script() -> re.Pattern[str]:
    letter = rf"[^\W_{TIGHT_LETTERS}]"
    return re.compile(
        rf"{_ENDINGS}|(?:{letter}[{mark_class()}]*)+|\S[{mark_class()}]*", re.IGNORECASE
    )


def split_words(text: str, *, lowercase: bool = True) -> list[str]:
    """Return the words and symbols of a text.

    Words are runs of letters and digits; English `n't`, `'s` and the like are words of their own,
    so that `don't` and the `do n't` of tokenised text are the same; a letter of a script without
    blanks and a symbol stand alone.

    Example:
        >>> split_words("It's good, I don't say 很好!")
        ['it', "'s", 'good', ',', 'i', 'do', "n't", 'say', '很', '好', '!']
    """
    if lowercase:
        text = text.lower()
    if "’" in text:
        text = text.replace("’", "'")
    if "n't" in text or "N'T" in text:
        text = text.replace("n't", " n't").replace("N'T", " N'T")
    pattern = _ASCII if text.isascii() else _any_script()
    return pattern.findall(text)
