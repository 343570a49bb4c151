"""Spans that BIO labels mark, and how many of them were found."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

Span = tuple[str, int, int]
"""A label, where it begins, and where it has ended."""

_FIRST, _INSIDE, _LAST = "BSU", "IM", "ELSU"
OUTSIDE = "O"


@dataclasses.dataclass(frozen=True, slots=True)
class SpanFigures:
    """How spans of one label, or of all, were found; shares are 0 where there are none."""

    label: str
    precision: float
    recall: float
    f1: float
    gold: int
    predicted: int


def is_bio(tags: Iterable[str]) -> bool:
    """Return whether tags mark spans: `O` and labels behind B-, I- and their like.

    Example:
        >>> is_bio(["O", "B-LOC", "I-LOC"]), is_bio(["NOUN", "O"]), is_bio(["O"])
        (True, False, False)
    """
    marked = [tag for tag in tags if tag != OUTSIDE]
    known = _FIRST + _INSIDE + _LAST
    return bool(marked) and all(
        len(tag) > 2 and tag[1] == "-" and tag[0] in known for tag in marked
    )


def spans(tags: Sequence[str]) -> list[Span]:
    """Return the spans of a sentence's tags, as the CoNLL-2000 evaluation counts them.

    A span begins at B, and at I behind another label or outside; it ends before another label,
    before B, and behind E, L, S and U.

    Example:
        >>> spans(["B-LOC", "I-LOC", "O", "I-PER", "B-PER"])
        [('LOC', 0, 2), ('PER', 3, 4), ('PER', 4, 5)]
    """
    found: list[Span] = []
    label, start, is_open = "", 0, False
    for place, tag in enumerate([*tags, OUTSIDE]):
        mark, own = (tag[0], tag[2:]) if tag != OUTSIDE and tag[1:2] == "-" else (OUTSIDE, "")
        goes_on = is_open and mark != OUTSIDE and mark not in _FIRST and own == label
        if is_open and not goes_on:
            found.append((label, start, place))
        if mark == OUTSIDE:
            is_open = False
            continue
        if not goes_on:
            label, start = own, place
        is_open = True
        if mark in _LAST:
            found.append((label, start, place + 1))
            is_open = False
    return found


def span_figures(
    gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]
) -> list[SpanFigures]:
    """Return the figures of all spans together, under an empty label, then of each label.

    A span is right if its label, its beginning and its end are. `all` counts every span once
    (micro average).

    Example:
        >>> span_figures([["B-A", "O"]], [["B-A", "B-A"]])[0].precision
        0.5
    """
    right: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for truth, guess in zip(gold, predicted, strict=True):
        ours, theirs = set(spans(truth)), set(spans(guess))
        wanted.update(span[0] for span in ours)
        found.update(span[0] for span in theirs)
        right.update(span[0] for span in ours & theirs)
    labels = sorted(wanted | found)
    total = _figures("", sum(right.values()), sum(wanted.values()), sum(found.values()))
    return [total, *(_figures(one, right[one], wanted[one], found[one]) for one in labels)]


def _figures(label: str, right: int, gold: int, predicted: int) -> SpanFigures:
    return SpanFigures(
        label,
        right / predicted if predicted else 0.0,
        right / gold if gold else 0.0,
        2 * right / (gold + predicted) if gold + predicted else 0.0,
        gold,
        predicted,
    )
