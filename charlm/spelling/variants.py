"""Words that may be spelt in two ways: British `-ise` beside `-ize`, both of them right."""

from __future__ import annotations

import re
from collections.abc import Container

_FAMILY = re.compile(r"(.{3,}[iy])[sz](e|es|ed|er|ers|ing|ation|ations|able|ational)")
_PREFIX = re.compile(r"un|re|de|over|under|pre|mis")
# What is made of size, capsize, seize and prize, whose endings are none.
_ONE_WAY = re.compile(
    r"(?:re|un|cap|mid|out|over|up|down|under|super|king|pint|full|life)si|.*(?:se|pr)i"
)
_LEAST = 6  # letters of a verb behind a prefix


def is_variant(form: str, known: Container[str]) -> bool:
    """Return whether a form is of a family whose `-ize` or `-yze` is known.

    Words that are only ever written in one way (`surprise`, `resize`) have no such family.

    Example:
        >>> known = {"optimize", "normalize", "surprise", "resize"}
        >>> words = ("optimiser", "unnormalised", "surprize", "resised", "wise")
        >>> [is_variant(one, known) for one in words]
        [True, True, False, False, False]
    """
    found = _FAMILY.fullmatch(form)
    if found is None or _ONE_WAY.fullmatch(found[1]):
        return False
    verb = f"{found[1]}ze"
    rest = _PREFIX.sub("", verb, count=1)
    return verb in known or (len(rest) >= _LEAST and rest in known)
