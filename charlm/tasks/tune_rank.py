"""The weights of n-best lists, found on lists whose right answer is marked."""

from __future__ import annotations

import dataclasses

import numpy as np

from charlm.base.errors import CorpusError
from charlm.metrics.tuning import count_right, tune_weights
from charlm.tasks.load import OpenModel
from charlm.tasks.rank import RIGHT, Candidate, model_scores, read_blocks
from charlm.text.corpora import open_corpus


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TuneResult:
    """Weights of the scores of a list, and in how many lists the right answer came first.

    `right_without` is that count for the model alone.
    """

    weights: tuple[float, ...]
    lists: int
    right: int
    right_without: int


def tune_rank(opened: OpenModel, file: str, *, normalize: str = "none") -> TuneResult:
    """Return the weights under which most lists of a file have their right answer first.

    Raises:
        CorpusError: if the file cannot be read, a list has not one right answer, or no scores.
    """
    text = open_corpus([file]).read()
    blocks = [
        block
        for batch in read_blocks([text.split("\n")], where=file, marked=True)
        for block in batch
    ]
    if not blocks:
        raise CorpusError(f"{file}: no lists; they are parted by blank lines")
    rights = [_right_one(block, file) for block in blocks]
    if not blocks[0][0].scores:
        raise CorpusError(f"{file}, line {blocks[0][0].line}: no scores behind the text to weight")
    of_model = model_scores(opened, blocks, normalize)
    lists = [
        np.array([[own, *c.scores] for c, (_, own) in zip(block, values, strict=True)])
        for block, values in zip(blocks, of_model, strict=True)
    ]
    weights = tune_weights(lists, rights)
    return TuneResult(
        weights=tuple(float(f"{weight:.6g}") for weight in weights.tolist()),
        lists=len(lists),
        right=count_right(lists, rights, weights),
        right_without=count_right(lists, rights, np.zeros(len(weights))),
    )


def _right_one(block: list[Candidate], file: str) -> int:
    rights = [index for index, candidate in enumerate(block) if candidate.is_right]
    if len(rights) != 1:
        raise CorpusError(
            f"{file}, lines {block[0].line} to {block[-1].line}: {len(rights)} right answers, "
            f"expected 1; its line begins with {RIGHT!r} and a TAB"
        )
    return rights[0]
