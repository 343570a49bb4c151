"""Cutting a text into a training part and a validation tail."""

from __future__ import annotations

from collections.abc import Callable

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
    cut = tail_cut(len(text), fraction)
    if not exact and 0 < cut < len(text):
        cut = next_start(lambda start, stop: text[start:stop], cut)
    return text[:cut], text[cut:]


def tail_cut(length: int, fraction: float) -> int:
    """Return the place in a text of `length` characters behind which `fraction` of it lies.

    Raises:
        ValueError: if `fraction` is outside [0, 1).
    """
    if not 0.0 <= fraction < 1.0:
        raise ValueError(f"fraction must be in [0, 1), got {fraction}")
    from fractions import Fraction

    # 0.1 means one tenth here, not the binary number next to it
    return int(length * (1 - Fraction(repr(fraction))))


def next_start(read: Callable[[int, int], str], cut: int) -> int:
    """Return the next place from `cut` > 0 on where a line begins, or else a word.

    Args:
        read: returns the characters of the text from one place to another.
    """
    near = read(cut - 1, cut + _REACH)
    if near[0] == "\n":
        return cut
    for mark in "\n ":
        found = near.find(mark, 1)
        if found >= 0:
            return cut + found
    return cut
