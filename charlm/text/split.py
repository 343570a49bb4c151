"""Cutting a text into a training part and a validation tail."""

from __future__ import annotations

_REACH = 2_000


def split_tail(text: str, fraction: float, *, exact: bool) -> tuple[str, str]:
    """Return a text's beginning and its last `fraction`.

    Args:
        text: the whole text.
        fraction: share of characters in the tail, 0 <= fraction < 1.
        exact: cut after exactly floor(n * (1 - fraction)) characters (tokens are characters or
            bytes). Otherwise the cut moves forward to the next line start within 2,000
            characters, else just after the next blank within them, so that no word is cut.

    Raises:
        ValueError: if `fraction` is outside [0, 1).

    Example:
        >>> split_tail("one two\\nthree four\\n", 0.5, exact=True)
        ('one two\\nt', 'hree four\\n')
        >>> split_tail("one two\\nthree four\\n", 0.7, exact=False)
        ('one two\\n', 'three four\\n')
    """
    if not 0.0 <= fraction < 1.0:
        raise ValueError(f"fraction must be in [0, 1), got {fraction}")
    cut = _exact_cut(len(text), fraction)
    if not exact and 0 < cut < len(text):
        cut = _word_cut(text, cut)
    return text[:cut], text[cut:]


def _exact_cut(length: int, fraction: float) -> int:
    from fractions import Fraction

    # 0.1 means one tenth here, not the binary number next to it
    return int(length * (1 - Fraction(repr(fraction))))


def _word_cut(text: str, cut: int) -> int:
    if text[cut - 1] == "\n":
        return cut
    line = text.find("\n", cut, cut + _REACH)
    if line >= 0:
        return line + 1
    blank = text.find(" ", cut, cut + _REACH)
    return blank + 1 if blank >= 0 else cut
