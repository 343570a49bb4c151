"""What word vectors associate with words: WEAT, and projections onto a direction."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from charlm.base.errors import TaskError
from charlm.tasks.vectors_open import OpenSpace, require_rows, unknown_word
from charlm.vectors import association_words as ours
from charlm.vectors.association import Floats, directions, projections, weat


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WordLists:
    """Two sets of words, and two of what they may be associated with."""

    targets_a: Sequence[str] = tuple(ours.FLOWERS.split())
    targets_b: Sequence[str] = tuple(ours.INSECTS.split())
    attributes_a: Sequence[str] = tuple(ours.PLEASANT.split())
    attributes_b: Sequence[str] = tuple(ours.UNPLEASANT.split())


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LeaningWord:
    """A word, and how much nearer it is to attributes a than to attributes b."""

    word: str
    association: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class BiasResult:
    """An association test, with the words that took part in it.

    Attributes:
        effect_size: None where all targets are associated alike.
        exact: whether the partitions of the p-value are all there are.
        left_out: words without a vector, or with one that is zero.
    """

    model: str
    targets_a: tuple[LeaningWord, ...]
    targets_b: tuple[LeaningWord, ...]
    attributes_a: tuple[str, ...]
    attributes_b: tuple[str, ...]
    statistic: float
    effect_size: float | None
    p_value: float
    partitions: int
    exact: bool
    left_out: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Return the JSON object."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ProjectedWord:
    """A word, and how far it lies along a direction, -1 to 1."""

    word: str
    projection: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ProjectionResult:
    """Words along the direction from the second word to the first; why others are not told."""

    direction: tuple[str, str]
    words: tuple[ProjectedWord, ...]
    problems: tuple[str, ...]


def measure_bias(
    opened: OpenSpace, lists: WordLists, *, permutations: int = 100_000, seed: int = 0
) -> BiasResult:
    """Return whether targets a lean to attributes a more than targets b do.

    Args:
        lists: words; each counts once in its list.
        permutations: partitions to draw for the p-value where there are too many to count.
        seed: of the draws.

    Raises:
        TaskError: if no word of a list has a vector, or a word is in both lists of targets.
    """
    left_out: list[str] = []
    names: dict[str, list[str]] = {}
    vectors: dict[str, Floats] = {}
    for field in dataclasses.fields(lists):
        names[field.name], vectors[field.name] = _known(
            opened, field.name, getattr(lists, field.name), left_out
        )
    for word in names["targets_a"]:
        if word in names["targets_b"]:
            raise TaskError(f"{word[:100]!r} is in targets a and in targets b; expected it in one")
    found = weat(**vectors, draws=permutations, seed=seed)
    leaning = [
        tuple(
            LeaningWord(word=word, association=float(value))
            for word, value in zip(names[name], values, strict=True)
        )
        for name, values in (("targets_a", found.first), ("targets_b", found.second))
    ]
    return BiasResult(
        model=opened.name,
        targets_a=leaning[0],
        targets_b=leaning[1],
        attributes_a=tuple(names["attributes_a"]),
        attributes_b=tuple(names["attributes_b"]),
        statistic=found.statistic,
        effect_size=None if np.isnan(found.effect_size) else found.effect_size,
        p_value=found.p_value,
        partitions=found.partitions,
        exact=found.exact,
        left_out=tuple(dict.fromkeys(left_out)),
    )


def _known(
    opened: OpenSpace, name: str, words: Sequence[str], left_out: list[str]
) -> tuple[list[str], Floats]:
    """Return the words of a list that have a direction, as the vectors spell them, and those."""
    space = opened.space
    rows: dict[int, Floats] = {}
    for word in words:
        row = space.index(word)
        if row is None or not space.matrix[row].any():
            left_out.append(word)
        else:
            rows[row] = _directions(opened, [row])[0]
    if not rows:
        raise TaskError(
            f"none of the {len(words):,} words of {name.replace('_', ' ')} has a vector in "
            f"{opened.name}"
        )
    return [space.words[row] for row in rows], np.stack(list(rows.values()))


def _directions(opened: OpenSpace, rows: list[int]) -> Floats:
    """Return the vectors of rows, each of length 1; the numbers of mapped ones are checked here.

    Raises:
        TaskError: if one is not finite.
    """
    vectors = opened.space.matrix[rows]
    for row, vector in zip(rows, vectors, strict=True):
        if not np.isfinite(vector).all():
            raise TaskError(
                f"the vector of {opened.space.words[row][:100]!r} in {opened.name} has a number "
                "that is not finite; charlm doctor tells what is damaged"
            )
    return directions(vectors)


def project_words(
    opened: OpenSpace, direction: tuple[str, str], words: Sequence[str]
) -> ProjectionResult:
    """Return how far each word lies along the direction from the second word to the first.

    Raises:
        TaskError: if one of the two is unknown, or their vectors are the same.
    """
    space = opened.space
    ends = _directions(opened, require_rows(space, list(direction)))
    problems, known = [], {}
    for word in dict.fromkeys(words):
        row = space.index(word)
        if row is None:
            problems.append(unknown_word(space, word))
        elif not space.matrix[row].any():
            problems.append(f"the vector of {word[:100]!r} is zero, and points nowhere")
        else:
            known[word] = row
    vectors = _directions(opened, list(known.values()))
    try:
        values = projections(vectors, ends[0], ends[1])
    except ValueError as error:
        raise TaskError(
            f"the vectors of {direction[0][:100]!r} and {direction[1][:100]!r} point the same way; "
            "expected two words that differ"
        ) from error
    found = tuple(
        ProjectedWord(word=word, projection=float(value))
        for word, value in zip(known, values, strict=True)
    )
    return ProjectionResult(direction=direction, words=found, problems=tuple(problems))
