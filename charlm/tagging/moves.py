"""Which tags may follow which where tags mark spans: none goes on that has not begun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
_OPEN, _GOES_ON, _CLOSES = "BIM", "IMEL", "ELSU"
_MOST_STRANGE = 0.1
"""Share of the tags that go on, but on nothing: errors up to it; beyond it another scheme."""


class Moves(NamedTuple):
    """What may come.

    Shapes:
        after: (tags, tags), of a tag (column) after another (row); first, last: (tags,).
    """

    after: Flags
    first: Flags
    last: Flags


def legal_moves(tags: Sequence[str]) -> Moves:
    """Return which sequences of BIO labels mark spans as they should.

    `I-X` follows `B-X` or `I-X`; with labels that close spans (`E-X`, `S-X`; `L-X`, `U-X`) these
    take the place of a B or I at an end.

    Example:
        >>> moves = legal_moves(["B-A", "I-A", "O"])
        >>> moves.after.tolist(), moves.first.tolist()
        ([[True, True, True], [True, True, True], [True, False, True]], [True, False, True])
    """
    marks = [tag[0] if tag[1:2] == "-" else "O" for tag in tags]
    labels = [tag[2:] for tag in tags]
    is_open = np.array([mark in _OPEN for mark in marks])
    goes_on = np.array([mark in _GOES_ON for mark in marks])
    same = np.array([[one == other for other in labels] for one in labels])
    may_go_on = is_open[:, None] & same
    after = np.where(goes_on, may_go_on, True)
    last = np.ones(len(tags), bool)
    if any(mark in _CLOSES for mark in marks):  # then what is open must go on
        after &= np.where(is_open[:, None], goes_on, True)
        last = ~is_open
    return Moves(after, ~goes_on, last)


def are_followed(sentences: Iterable[Sequence[str]]) -> bool:
    """Return whether spans in annotated sentences begin before they go on, but for a few errors.

    In one old scheme, IOB1, a span begins with I, and with B only right behind another one: there
    nothing follows from what came before.

    Example:
        >>> are_followed([["B-A", "I-A"]]), are_followed([["O", "I-A"]])
        (True, False)
    """
    going = strange = 0
    for tags in sentences:
        before = "O"
        for tag in tags:
            if tag[1:2] == "-" and tag[0] in _GOES_ON:
                going += 1
                strange += not (before[:1] in _OPEN and before[1:] == tag[1:])
            before = tag
    return strange <= _MOST_STRANGE * going
