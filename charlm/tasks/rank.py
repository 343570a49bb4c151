"""Which of several texts is the likeliest: lists of candidates in order of their scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence

from charlm.base.errors import CorpusError
from charlm.tasks.load import OpenModel
from charlm.tasks.scoring import score_batch

RIGHT = "*"


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A text of a list, with its scores from elsewhere. `line` is where it was read, from 1."""

    text: str
    scores: tuple[float, ...] = ()
    line: int = 0
    is_right: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RankedText:
    """A candidate in its place. `score` is what the order follows: higher is better."""

    block: int
    rank: int
    text: str
    log_prob: float
    score: float


def parse_candidate(line: str, number: int, *, where: str, marked: bool = False) -> Candidate:
    r"""Return the candidate that a line holds: its text, and scores behind TABs.

    Args:
        line: without its line end.
        number: of the line, from 1.
        where: what is read, for messages.
        marked: a right answer begins with `*` and a TAB.

    Raises:
        CorpusError: if a score is no number.

    Example:
        >>> parse_candidate("I saw a van\t-3.5\t7", 1, where="x").scores
        (-3.5, 7.0)
    """
    fields = line.split("\t")
    is_right = marked and len(fields) > 1 and fields[0] == RIGHT
    text, *words = fields[1:] if is_right else fields
    scores = []
    for word in words:
        try:
            score = float(word)
        except ValueError:
            score = math.nan
        if not math.isfinite(score):
            raise CorpusError(
                f"{where}, line {number}: {word!r} is no number; "
                "scores stand behind the text, with TABs between them"
            )
        scores.append(score)
    return Candidate(text, tuple(scores), number, is_right)


def read_blocks(
    batches: Iterable[Sequence[str]], *, where: str, marked: bool = False
) -> Iterator[list[list[Candidate]]]:
    """Yield lists of candidates, parted by blank lines, as many at a time as came together.

    Raises:
        CorpusError: if a score is no number, or a candidate has not as many as the first one.
    """
    block: list[Candidate] = []
    first: Candidate | None = None
    number = 0
    for lines in batches:
        whole = []
        for line in lines:
            number += 1
            if not line.strip(" "):
                if block:
                    whole.append(block)
                block = []
                continue
            candidate = parse_candidate(line, number, where=where, marked=marked)
            first = first or candidate
            _require_columns(candidate, first, where)
            block.append(candidate)
        if whole:
            yield whole
    if block:
        yield [block]


def _require_columns(candidate: Candidate, first: Candidate, where: str) -> None:
    if len(candidate.scores) != len(first.scores):
        raise CorpusError(
            f"{where}, line {candidate.line}: {_scores(len(candidate.scores))} behind the text, "
            f"expected {len(first.scores)} as in line {first.line}; "
            "scores stand behind the text, with TABs between them"
        )


def require_weights(first: Candidate, weights: Sequence[float], where: str) -> None:
    """Check that there is a weight for each score.

    Raises:
        CorpusError: if there is not.
    """
    found = len(first.scores)
    if found == len(weights):
        return
    place = f"{where}, line {first.line}: " if first.line else ""
    remedy = "--weight A,B gives one each, --tune FILE finds them" if found else "leave them out"
    raise CorpusError(
        f"{place}{_scores(found)} behind the text, but {len(weights)} given by --weight; {remedy}"
    )


def _scores(count: int) -> str:
    return "1 score" if count == 1 else f"{count} scores"


def model_scores(
    opened: OpenModel, blocks: Sequence[Sequence[Candidate]], normalize: str = "none"
) -> list[list[tuple[float, float]]]:
    """Return of each candidate its log-probability, and what the model adds to its score."""
    texts = [candidate.text for block in blocks for candidate in block]
    encoded = [opened.tokenizer.encode(text) for text in texts]
    found = []
    for text, scores in zip(texts, score_batch(opened.model, encoded), strict=True):
        total = math.fsum(scores.tolist())
        lengths = {"none": 1, "tokens": len(scores), "chars": len(text)}
        found.append((total, total / max(lengths[normalize], 1)))
    values = iter(found)
    return [[next(values) for _ in block] for block in blocks]


def rank_blocks(
    opened: OpenModel,
    blocks: Sequence[Sequence[Candidate]],
    *,
    weights: Sequence[float] = (),
    normalize: str = "none",
    first_block: int = 1,
) -> Iterator[RankedText]:
    """Yield the candidates of each list from the best to the worst; equals keep their order.

    A candidate's score is the model's log-probability, divided by its length if so wished, and
    the sum of its own scores times their weights.

    Args:
        weights: one for each score of a candidate.
        normalize: "none", "tokens" or "chars".
        first_block: the number of the first list.
    """
    of_model = model_scores(opened, blocks, normalize)
    for number, (block, values) in enumerate(zip(blocks, of_model, strict=True), first_block):
        rows = []
        for candidate, (log_prob, own) in zip(block, values, strict=True):
            extra = math.fsum(w * s for w, s in zip(weights, candidate.scores, strict=True))
            rows.append((own + extra, log_prob, candidate.text))
        rows.sort(key=lambda row: -row[0])
        for rank, (score, log_prob, text) in enumerate(rows, start=1):
            yield RankedText(block=number, rank=rank, text=text, log_prob=log_prob, score=score)
