"""How probable texts are: the chain rule over their tokens, from the beginning of a text."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.metrics.likelihood import Likelihood
from charlm.tasks.blocks import BLOCK_CHARS, token_blocks
from charlm.tasks.load import OpenModel, count_unknown
from charlm.tasks.scoring import block_scorer, score_batch, takes_blocks
from charlm.tasks.spans import token_texts
from charlm.tasks.unknown import UnknownWords

# Tokens whose whole distributions are in memory at once are as many as fit this.
TABLE_BYTES = 16 * 2**20
ALTERNATIVES = 3


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """A token that might have stood there, and its natural log-probability."""

    token: str
    log_prob: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TokenScore:
    """One token, and its natural log-probability given all before it.

    Attributes:
        token: as the vocabulary writes it; `<unk>` where it lacks it.
        text: what it stands for in the text.
        rank: 1 where no token was likelier; 0 where that was not asked for.
        alternatives: the likeliest tokens in its place, itself perhaps among them.
    """

    token: str
    log_prob: float
    text: str = ""
    rank: int = 0
    alternatives: tuple[Alternative, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ScoreResult:
    """The probability of one text, in nats; `perplexity` and `bits_per_char` are None if empty."""

    text: str
    log_prob: float
    tokens: int
    perplexity: float | None
    bits_per_char: float | None
    unknown: int
    per_token: tuple[TokenScore, ...]


def score_text(opened: OpenModel, text: str) -> ScoreResult:
    """Return the log-probability of `text` and of each of its tokens."""
    return score_texts(opened, [text], per_token=True)[0]


def score_texts(
    opened: OpenModel,
    texts: Sequence[str],
    *,
    per_token: bool = False,
    alternatives: bool = False,
    unknown: UnknownWords | None = None,
) -> list[ScoreResult]:
    """Return the log-probability of each text, in order; many at once are much faster.

    Args:
        per_token: tell of each token too.
        alternatives: tell of each token its rank and what was likelier, too.
        unknown: adds the price of spelling to that of an unknown token.
    """
    long = [index for index, text in enumerate(texts) if len(text) > BLOCK_CHARS]
    if long and not (per_token or alternatives or unknown) and takes_blocks(opened.model):
        results = score_texts(opened, ["" if i in long else t for i, t in enumerate(texts)])
        for index in long:
            results[index] = _score_in_blocks(opened, texts[index])
        return results
    encoded = [opened.tokenizer.encode(text) for text in texts]
    scored = score_batch(opened.model, encoded)
    results = []
    for text, ids, scores in zip(texts, encoded, scored, strict=True):
        if unknown is not None:
            scores = scores + unknown.extra(text, ids)
        result = _summary(opened, text, ids, scores)
        if per_token or alternatives:
            tokens = _per_token(opened, text, ids, scores, alternatives=alternatives)
            result = dataclasses.replace(result, per_token=tokens)
        results.append(result)
    return results


def _score_in_blocks(opened: OpenModel, text: str) -> ScoreResult:
    """Reckon a long text in memory that does not grow with it."""
    score, nlls, tokens, unknown = block_scorer(opened.model), [0.0], 0, 0
    for ids, _ in token_blocks([text], opened.tokenizer):
        nlls.append(-float(score(ids).sum()))
        tokens += len(ids)
        unknown += count_unknown(opened.tokenizer, ids)
    return _result(text, math.fsum(nlls), tokens, unknown)


def _summary(
    opened: OpenModel, text: str, ids: Any, scores: npt.NDArray[np.float64]
) -> ScoreResult:
    nll = -math.fsum(scores.tolist())
    return _result(text, nll, len(ids), count_unknown(opened.tokenizer, ids))


def _result(text: str, nll: float, tokens: int, unknown: int) -> ScoreResult:
    found = Likelihood(nll_nats=nll, tokens=tokens, chars=len(text) if tokens else 0)
    return ScoreResult(
        text=text,
        log_prob=found.log_prob,
        tokens=found.tokens,
        perplexity=found.perplexity if found.tokens else None,
        bits_per_char=found.bits_per_char if found.chars else None,
        unknown=unknown,
        per_token=(),
    )


def _per_token(
    opened: OpenModel,
    text: str,
    ids: Any,
    scores: npt.NDArray[np.float64],
    *,
    alternatives: bool,
) -> tuple[TokenScore, ...]:
    name = opened.tokenizer.token
    texts = token_texts(opened.tokenizer, text, ids)
    if not alternatives:
        return tuple(
            TokenScore(token=name(token_id), log_prob=score, text=part)
            for token_id, score, part in zip(ids.tolist(), scores.tolist(), texts, strict=True)
        )
    ranks, likeliest = _alternatives(opened, ids)
    return tuple(
        TokenScore(
            token=name(token_id),
            log_prob=score,
            text=part,
            rank=rank,
            alternatives=tuple(
                Alternative(token=name(other), log_prob=log_prob) for other, log_prob in others
            ),
        )
        for token_id, score, part, rank, others in zip(
            ids.tolist(), scores.tolist(), texts, ranks, likeliest, strict=True
        )
    )


def _alternatives(opened: OpenModel, ids: Any) -> tuple[list[int], list[list[tuple[int, float]]]]:
    """Return the rank of each id, and the likeliest ids in its place with their log p."""
    model: Any = opened.model
    state = model.initial_state(1)
    inputs = np.concatenate([[model.bos_id], ids[:-1]])[None]
    size = max(1, TABLE_BYTES // (4 * model.vocab_size))
    count = min(ALTERNATIVES, model.vocab_size)
    ranks: list[int] = []
    likeliest: list[list[tuple[int, float]]] = []
    for start in range(0, len(ids), size):
        tables, state = model.log_probs(inputs[:, start : start + size], state)
        table, targets = tables[0], ids[start : start + size]
        own = np.take_along_axis(table, targets[:, None].astype(np.int64), axis=1)
        ranks += (1 + (table > own).sum(axis=1)).tolist()
        top = np.argpartition(-table, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(table, top, axis=1)
        for row_ids, row in zip(top.tolist(), values.tolist(), strict=True):
            pairs = zip(row_ids, row, strict=True)
            likeliest.append(sorted(pairs, key=lambda pair: -pair[1]))
    return ranks, likeliest
