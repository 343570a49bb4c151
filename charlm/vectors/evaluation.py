"""What word vectors know: questions of analogy by section, and pairs judged for similarity."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CorpusError
from charlm.metrics.ranking import spearman
from charlm.vectors.space import METHODS, Space

_TOGETHER = 256  # questions answered by one product
_SYNTACTIC = "gram"  # how the names of the syntactic sections of Google's set begin


class Section(NamedTuple):
    """Questions of one sort: `a` is to `b` as `c` is to `d`."""

    name: str
    questions: list[tuple[str, str, str, str]]


class Pair(NamedTuple):
    """Two words, and how similar people find them."""

    first: str
    second: str
    score: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SectionResult:
    """The answers of one section: right ones of those whose words are all known."""

    name: str
    right: int
    covered: int
    total: int


def parse_questions(text: str, where: str) -> list[Section] | list[Pair]:
    """Return what an evaluation file holds: sections of analogies, or pairs with scores.

    Analogies are lines of four words, in sections that `: name` begins, as in Google's set.
    Pairs are lines of two words and a number, as in WordSim-353; a first line without a number is
    a heading.

    Raises:
        CorpusError: naming the line that is neither.
    """
    sections: list[Section] = []
    pairs: list[Pair] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = _fields(line)
        if line.startswith(":"):
            sections.append(Section(line[1:].strip(), []))
        elif len(fields) == 4 and not pairs and not _score(fields[2:3]):
            sections = sections or [Section("all", [])]
            sections[-1].questions.append((fields[0], fields[1], fields[2], fields[3]))
        elif not sections and len(fields) > 2 and (found := _score(fields[2:3])):
            pairs.append(Pair(fields[0], fields[1], found[0]))
        elif number > 1 or sections:
            raise CorpusError(
                f"{where}, line {number}: {line.strip()[:60]!r}; expected four words (an "
                "analogy) or two words and a number (a pair), the same on all lines"
            )
    if not pairs and not any(section.questions for section in sections):
        raise CorpusError(f"{where}: neither analogies nor pairs of words in it")
    return pairs or sections


def _fields(line: str) -> list[str]:
    for mark in ("\t", ";", ","):
        if mark in line:
            return [field.strip() for field in line.split(mark)]
    return line.split()


def _score(fields: Sequence[str]) -> list[float]:
    try:
        found = [float(field) for field in fields]
    except ValueError:
        return []
    return found if all(np.isfinite(found)) else []


def answer_analogies(
    space: Space, sections: Sequence[Section], *, method: str = "3cosadd", limit: int = 30_000
) -> list[SectionResult]:
    """Return how many questions of each section are answered right.

    Args:
        space: the vectors, most frequent words first.
        sections: the questions.
        method: as `Space.analogy`.
        limit: only the first so many words are asked about and answered with; 0 for all. 30,000
            is what word2vec's own evaluation takes.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    size = min(limit or len(space.words), len(space.words))
    matrix = space.vectors(np.arange(size))
    lookup = _Lookup(space, size)
    results = []
    for section in sections:
        rows = [lookup.rows(question) for question in section.questions]
        known = np.array([found for found in rows if found], dtype=np.intp).reshape(-1, 4)
        right = sum(
            _right(matrix, known[start : start + _TOGETHER], method)
            for start in range(0, len(known), _TOGETHER)
        )
        results.append(
            SectionResult(name=section.name, right=right, covered=len(known), total=len(rows))
        )
    return results


def _right(matrix: npt.NDArray[np.float32], rows: npt.NDArray[np.intp], method: str) -> int:
    a, b, c, d = rows.T
    if method == "3cosadd":
        scores = (matrix[b] - matrix[a] + matrix[c]) @ matrix.T
    else:
        near = [(matrix[one] @ matrix.T + 1.0) / 2.0 for one in (a, b, c)]
        scores = near[1] * near[2] / (near[0] + 1e-3)
    places = np.arange(len(rows))
    for given in (a, b, c):
        scores[places, given] = -np.inf
    return int(np.count_nonzero(scores.argmax(axis=1) == d))


class _Lookup:
    """Rows of words: as they are written, else in lower case, among the first `size`."""

    def __init__(self, space: Space, size: int) -> None:
        self._known = space.words.known()
        self._size = size

    def row(self, word: str) -> int | None:
        for form in (word, word.lower()):
            found = self._known.get(form)
            if found is not None and found < self._size:
                return found
        return None

    def rows(self, words: Sequence[str]) -> list[int] | None:
        found = [self.row(word) for word in words]
        return None if None in found else [row for row in found if row is not None]


def by_sort(results: Sequence[SectionResult]) -> dict[str, SectionResult]:
    """Return the sums of the semantic and the syntactic sections, where there are both."""
    sorts = {
        "semantic": [one for one in results if not one.name.startswith(_SYNTACTIC)],
        "syntactic": [one for one in results if one.name.startswith(_SYNTACTIC)],
    }
    return {name: total(name, parts) for name, parts in sorts.items() if all(sorts.values())}


def total(name: str, results: Sequence[SectionResult]) -> SectionResult:
    """Return the sum of some results under a name."""
    return SectionResult(
        name=name,
        right=sum(one.right for one in results),
        covered=sum(one.covered for one in results),
        total=sum(one.total for one in results),
    )


def judge_pairs(space: Space, pairs: Sequence[Pair]) -> tuple[float, int]:
    """Return Spearman's correlation of cosines with people's scores, and of how many pairs."""
    lookup = _Lookup(space, len(space.words))
    found = [(lookup.rows((pair.first, pair.second)), pair.score) for pair in pairs]
    known = [(rows, score) for rows, score in found if rows]
    if not known:
        return float("nan"), 0
    rows = np.array([rows for rows, _ in known], dtype=np.intp)
    first, second = space.vectors(rows[:, 0]), space.vectors(rows[:, 1])
    cosines = np.einsum("nd,nd->n", first, second)
    return spearman(cosines, np.array([score for _, score in known])), len(known)
