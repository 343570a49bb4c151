"""Minimal pairs: of two sentences that differ in one point, is the right one likelier?"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from charlm.base.errors import CorpusError
from charlm.tasks.load import OpenModel, count_unknown
from charlm.tasks.scoring import score_batch
from charlm.text.corpora import open_corpus

# Pairs scored together: enough for full batches, few enough for memory.
TOGETHER = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """A good and a bad sentence, and the kind of difference between them."""

    good: str
    bad: str
    paradigm: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ParadigmResult:
    """How many pairs of one kind were ranked right."""

    paradigm: str
    pairs: int
    right: int
    accuracy: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PairsResult:
    """The share of pairs in which the good sentence is likelier; equals count as wrong.

    `mean_accuracy` is the mean over paradigms, each with the same weight.
    """

    model: str
    file: str
    pairs: int
    right: int
    accuracy: float
    mean_accuracy: float
    unknown_rate: float
    paradigms: tuple[ParadigmResult, ...]


def evaluate_pairs(
    opened: OpenModel, file: str, *, line_end: bool = False, encoding_errors: str = "strict"
) -> PairsResult:
    """Return in how many pairs of a file the model prefers the good sentence.

    Args:
        file: lines of `good TAB bad` or `good TAB bad TAB paradigm`, or JSON lines with
            `sentence_good`, `sentence_bad` and perhaps `UID`, as BLiMP has them.
        line_end: a sentence is a line among others: it follows a line end, and its own counts.

    Raises:
        CorpusError: if the file cannot be read, or a line is no pair.
    """
    text = open_corpus([file], encoding_errors=encoding_errors).read()
    pairs = list(read_pairs(text, file))
    if not pairs:
        raise CorpusError(f"{file}: no pairs; a line is a good sentence, a TAB and a bad one")
    counts: dict[str, list[int]] = {}
    unknown = tokens = 0
    end = "\n" if line_end else ""  # the one before is as likely in both of a pair
    for start in range(0, len(pairs), TOGETHER):
        part = pairs[start : start + TOGETHER]
        sentences = [end + sentence + end for pair in part for sentence in (pair.good, pair.bad)]
        encoded = [opened.tokenizer.encode(sentence) for sentence in sentences]
        scores = [math.fsum(found.tolist()) for found in score_batch(opened.model, encoded)]
        unknown += sum(count_unknown(opened.tokenizer, ids) for ids in encoded)
        tokens += sum(map(len, encoded))
        for pair, good, bad in zip(part, scores[::2], scores[1::2], strict=True):
            count = counts.setdefault(pair.paradigm, [0, 0])
            count[0] += 1
            count[1] += good > bad
    return _result(opened.name, file, counts, unknown / max(tokens, 1))


def _result(
    model: str, file: str, counts: dict[str, list[int]], unknown_rate: float
) -> PairsResult:
    paradigms = tuple(
        ParadigmResult(paradigm=name, pairs=pairs, right=right, accuracy=right / pairs)
        for name, (pairs, right) in sorted(counts.items())
    )
    pairs, right = sum(one.pairs for one in paradigms), sum(one.right for one in paradigms)
    return PairsResult(
        model=model,
        file=file,
        pairs=pairs,
        right=right,
        accuracy=right / pairs,
        mean_accuracy=math.fsum(one.accuracy for one in paradigms) / len(paradigms),
        unknown_rate=unknown_rate,
        paradigms=paradigms,
    )


def read_pairs(text: str, where: str) -> Iterator[Pair]:
    """Yield the pairs of a text; blank lines are let be.

    Raises:
        CorpusError: if a line is no pair.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        yield _from_json(line, place) if line.startswith("{") else _from_columns(line, place)


def _from_columns(line: str, place: str) -> Pair:
    columns = line.split("\t")
    if len(columns) not in (2, 3) or not all(columns[:2]):
        found = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
        if len(columns) in (2, 3):
            found = "an empty sentence"
        raise CorpusError(
            f"{place}: {found}; expected a good sentence, a TAB and a bad one, "
            "perhaps a TAB and the paradigm"
        )
    return Pair(*columns)


def _from_json(line: str, place: str) -> Pair:
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{place}: no valid JSON ({error})") from error
    values: Sequence[Any] = [record.get("sentence_good"), record.get("sentence_bad")]
    values = [*values, record.get("UID", "")]
    if not all(isinstance(value, str) for value in values) or not all(values[:2]):
        raise CorpusError(f"{place}: expected the texts sentence_good, sentence_bad and maybe UID")
    return Pair(*values)
