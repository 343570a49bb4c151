"""Words that may be spelt in two ways: British `-ise` beside `-ize`, both of them right."""

from __future__ import annotations

import re
from collections.abc import Container

_FAMILY = re.compile(r"(.{3,}[iy])[sz](e|es|ed|er|ers|ing|ation|ations|able|ational)")
_PREFIX = re.compile(r"un|re|de|over|under|pre|mis")


def is_variant(form: str, known: Container[str]) -> bool:
    """Return whether a form is of a family whose `-ize` or `-yze` is known.

    Words that are only ever written with an s (`surprise`) have no such family.

    Example:
        >>> known = {"optimize", "normalize", "surprise"}
        >>> [is_variant(one, known) for one in ("optimiser", "unnormalised", "surprize", "wise")]
        [True, True, False, False]
    """
    found = _FAMILY.fullmatch(form)
    if found is None:
        return False
    verb = f"{found[1]}ze"
    return verb in known or _PREFIX.sub("", verb, count=1) in known
