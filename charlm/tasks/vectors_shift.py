"""Words that mean something else in one set of word vectors than in another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.tasks.vectors_open import OpenSpace, unknown_word
from charlm.vectors.alignment import Alignment, Rows, align
from charlm.vectors.space import Neighbor, Space

_SCORES_AT_ONCE = 16 << 20  # cosines that are held together


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ShiftedWord:
    """A word in two spaces.

    Attributes:
        similarity: the cosine of its two vectors, once they are aligned.
        rank: 1 if none of the words compared changed more; of two, 2; and so on.
        old_count, new_count: how often it occurred, where that is known.
        old, new: the words nearest to it in either space.
    """

    word: str
    similarity: float
    rank: int
    old_count: int | None
    new_count: int | None
    old: tuple[Neighbor, ...]
    new: tuple[Neighbor, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ShiftResult:
    """Words in two spaces; those asked for in their order, else those that changed most.

    Attributes:
        compared: how many words the ranks are among; `median` is the median of their similarities.
        warnings: what makes the figures doubtful.
        problems: why a word that was asked for is not told.
    """

    words: tuple[ShiftedWord, ...]
    compared: int
    median: float
    warnings: tuple[str, ...]
    problems: tuple[str, ...]

    def records(self) -> list[dict[str, Any]]:
        """Return the JSON object of each word."""
        made = []
        for one in self.words:
            record = dataclasses.asdict(one)
            for side in ("old", "new"):
                near = record.pop(side)
                record[side] = [{"word": word, "similarity": cosine} for word, cosine in near]
            made.append({**record, "compared": self.compared})
        return made


def shift_words(
    old: OpenSpace,
    new: OpenSpace,
    words: Sequence[str] = (),
    *,
    top_n: int = 20,
    near: int = 5,
    limit: int = 10_000,
    min_count: int = 50,
) -> ShiftResult:
    """Return how far words moved from one set of word vectors to another.

    Args:
        words: which; none takes the `top_n` that moved most.
        near: how many of the nearest words to tell, on either side.
        limit: only words among the first so many of both are compared; 0 for all.
        min_count: and only those that occurred so often, in each that knows how often.

    Raises:
        TaskError: if the two cannot be aligned, or there is nothing to compare.
    """
    if old.space.dim != new.space.dim:
        raise TaskError(
            f"{old.name} has vectors of {old.space.dim:,} numbers, {new.name} of "
            f"{new.space.dim:,}; expected as many in both"
        )
    both = align(old.space, new.space)
    rows = _frequent(both.common, old, new, limit, min_count)
    moved = both.similarities(rows)
    rows, moved = rows[~np.isnan(moved)], moved[~np.isnan(moved)]
    problems: list[str] = []
    if words:
        chosen = _rows_of(old, new, words, problems)
        similarities = both.similarities(chosen)
    elif not len(rows):
        raise TaskError(
            f"none of the {len(both.common):,} words that {old.name} and {new.name} share is "
            "frequent enough in both; raise --limit or lower --min-count"
        )
    else:
        order = np.argsort(moved, kind="stable")[:top_n]
        chosen, similarities = rows[order], moved[order]
    told = _told(both, (old, new), chosen, similarities, np.sort(moved), near)
    return ShiftResult(
        words=tuple(told),
        compared=len(moved),
        median=float(np.median(moved)) if len(moved) else float("nan"),
        warnings=_warnings(both),
        problems=tuple(problems),
    )


def _frequent(common: Rows, old: OpenSpace, new: OpenSpace, limit: int, min_count: int) -> Rows:
    if limit:
        common = common[common.max(axis=1) < limit]
    for side, counts in enumerate((_counts(old), _counts(new))):
        if counts is not None and min_count:
            common = common[counts[common[:, side]] >= min_count]
    return common


def _counts(opened: OpenSpace) -> npt.NDArray[np.int64] | None:
    """Return how often each word occurred, None if it is not known, as in converted files."""
    return opened.counts if opened.counts is not None and opened.counts.any() else None


def _rows_of(old: OpenSpace, new: OpenSpace, words: Sequence[str], problems: list[str]) -> Rows:
    """Return the rows of words that have a direction in both spaces; add why others have none."""
    found = []
    for word in dict.fromkeys(words):
        rows = [opened.space.index(word) for opened in (old, new)]
        if rows[0] is None and rows[1] is None:
            problems.append(f"neither {old.name} nor {new.name} has a vector for {word[:100]!r}")
            continue
        for opened, row in zip((old, new), rows, strict=True):
            if row is None:
                problems.append(f"{opened.name}: {unknown_word(opened.space, word)}")
                break
            if not opened.space.vectors([row]).any():
                problems.append(
                    f"{opened.name}: the vector of {word[:100]!r} is zero, and points nowhere"
                )
                break
        else:
            found.append(rows)
    return np.array(found, dtype=np.intp).reshape(-1, 2)


def _told(
    both: Alignment,
    opened: tuple[OpenSpace, OpenSpace],
    rows: Rows,
    similarities: npt.NDArray[np.float64],
    ordered: npt.NDArray[np.float64],
    near: int,
) -> list[ShiftedWord]:
    around = [
        _nearest(space, rows[:, side], near) for side, space in enumerate((both.old, both.new))
    ]
    counts = [
        [None if known is None else int(known[row]) for row in rows[:, side]]
        for side, known in enumerate(map(_counts, opened))
    ]
    return [
        ShiftedWord(
            word=both.new.words[int(rows[place, 1])],
            similarity=float(similarity),
            rank=int(np.searchsorted(ordered, similarity)) + 1,
            old_count=counts[0][place],
            new_count=counts[1][place],
            old=around[0][place],
            new=around[1][place],
        )
        for place, similarity in enumerate(similarities)
    ]


def _nearest(space: Space, rows: npt.NDArray[np.intp], count: int) -> list[tuple[Neighbor, ...]]:
    """Return the words nearest to each row, reading the matrix for many rows at once."""
    if not count:
        return [()] * len(rows)
    found: list[tuple[Neighbor, ...]] = []
    step = max(1, _SCORES_AT_ONCE // max(1, len(space.words)))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        scores = space.similarities(space.vectors(part))
        found += [
            tuple(space.best(scores[:, place], count, without={int(row)}))
            for place, row in enumerate(part)
        ]
    return found


def _warnings(both: Alignment) -> tuple[str, ...]:
    shared, dim = len(both.common), both.old.dim
    if shared >= dim:
        return ()
    return (
        f"only {shared:,} word{'' if shared == 1 else 's'} in common, fewer than a vector has "
        f"numbers ({dim:,}): so few can be laid over each other whatever they mean",
    )
