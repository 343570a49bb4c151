"""Word vectors against sets of analogies and of judged pairs."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from charlm.tasks.vectors_open import OpenSpace
from charlm.text.corpora import open_corpus
from charlm.vectors.evaluation import (
    Pair,
    Section,
    SectionResult,
    answer_analogies,
    by_sort,
    judge_pairs,
    parse_questions,
    total,
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class VectorFigures:
    """What one file of questions says; one of the two figures is None.

    Attributes:
        covered: questions or pairs whose words are all known, of `total`.
        sections: of analogies, each with its own counts; `sorts` the semantic and the syntactic.
    """

    model: str
    file: str
    covered: int
    total: int
    analogy_accuracy: float | None = None
    similarity_spearman: float | None = None
    sections: tuple[SectionResult, ...] = ()
    sorts: tuple[SectionResult, ...] = ()

    @property
    def problem(self) -> str:
        """Why there is no figure, or an empty string."""
        if not self.covered:
            kind = "analogy" if self.similarity_spearman is None else "pair"
            why = f"{self.model} lacks a word of each"
            return f"{self.file}: no {kind} of {self.total:,} is covered: {why}; there is no figure"
        if self.similarity_spearman is not None and math.isnan(self.similarity_spearman):
            return (
                f"{self.file}: no correlation: the pairs covered ({self.covered:,}) do not differ "
                "in score, or not in similarity"
            )
        return ""

    def record(self) -> dict[str, Any]:
        """Return the JSON object: the figure of this file, its coverage, its sections."""
        found: dict[str, Any] = {"model": self.model, "file": self.file}
        if self.similarity_spearman is not None:
            found["similarity_spearman"] = self.similarity_spearman
        else:
            found["analogy_accuracy"] = self.analogy_accuracy
        found |= {"covered": self.covered, "total": self.total}
        if self.sections:
            parts = (*self.sorts, *self.sections)
            found["sections"] = [
                {**dataclasses.asdict(one), "accuracy": accuracy(one)} for one in parts
            ]
        return found


def accuracy(result: SectionResult) -> float:
    """Return the share of right answers among the questions covered; NaN of none."""
    return result.right / result.covered if result.covered else float("nan")


def evaluate_vectors(
    opened: OpenSpace, file: str, *, method: str = "3cosadd", limit: int = 30_000
) -> VectorFigures:
    """Return the figures of word vectors on a file of analogies or of judged pairs.

    Args:
        file: as `parse_questions` reads it.
        method: how analogies are answered.
        limit: analogies are asked and answered among the first so many words; 0 for all.

    Raises:
        CorpusError: if the file cannot be read, or holds neither.
    """
    found = parse_questions(open_corpus([file]).read(), file)
    name = Path(file).name
    if isinstance(found[0], Pair):
        pairs = [one for one in found if isinstance(one, Pair)]
        correlation, covered = judge_pairs(opened.space, pairs)
        return VectorFigures(
            model=opened.name,
            file=name,
            similarity_spearman=correlation,
            covered=covered,
            total=len(pairs),
        )
    sections = [one for one in found if isinstance(one, Section)]
    results = answer_analogies(opened.space, sections, method=method, limit=limit)
    whole = total("all", results)
    return VectorFigures(
        model=opened.name,
        file=name,
        analogy_accuracy=accuracy(whole),
        covered=whole.covered,
        total=whole.total,
        sections=tuple(results),
        sorts=tuple(by_sort(results).values()),
    )
