"""How a word sounds, roughly: spellings that sound alike have the same key.

For languages in Latin letters; elsewhere keys are as good as letters without vowels.
"""

from __future__ import annotations

import re

_RULES = [
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"[^a-z]", ""),
        (r"^(?:kn|gn|pn)", "n"),
        (r"^wr", "r"),
        (r"^ps", "s"),
        (r"^wh", "w"),
        (r"mb$", "m"),
        (r"(?:tio|sio|cio|tia|cia|scie)(?=[nlu])", "xa"),
        (r"tch|ch", "x"),
        (r"sch", "sk"),
        (r"sh", "x"),
        (r"ph", "f"),
        (r"(?<=[aeiou])gh(?=$|t|[^aeiou])", ""),
        (r"gh", "g"),
        (r"dg(?=[eiy])", "j"),
        (r"g(?=[eiy])", "j"),
        (r"sc(?=[eiy])", "s"),
        (r"c(?=[eiy])", "s"),
        (r"x(?=[aeiou])(?<=^x)", "s"),
        (r"ck|cq|c|qu|q", "k"),
        (r"th", "0"),
        (r"z", "s"),
        (r"v", "f"),
        (r"d(?=t)", ""),
        (r"(?<=[a-z0])[hwy](?![aeiou])", ""),
    )
]
_VOWELS = re.compile(r"(?<!^)[aeiouywh]+")
_DOUBLE = re.compile(r"(.)\1+")


def sound_of(word: str) -> str:
    """Return the key of a word in lower case.

    Example:
        >>> sound_of("their") == sound_of("there") == sound_of("they're")
        True
        >>> sound_of("nite") == sound_of("knight"), sound_of("fone") == sound_of("phone")
        (True, True)
    """
    for pattern, sound in _RULES:
        word = pattern.sub(sound, word)
    if word[:1] in ("a", "e", "i", "o", "u"):
        word = "a" + word[1:]
    return _DOUBLE.sub(r"\1", _VOWELS.sub("", _DOUBLE.sub(r"\1", word)))
