"""How probable a text is: the chain rule over its tokens, from the beginning of a text."""

from __future__ import annotations

import dataclasses
import math

from charlm.tasks.load import OpenModel, count_unknown
from charlm.tasks.scoring import score_ids


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TokenScore:
    """One token as text, and its natural log-probability given all before it."""

    token: str
    log_prob: float


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
    ids = opened.tokenizer.encode(text)
    log_probs = score_ids(opened.model, ids) if len(ids) else ()
    total = math.fsum(float(value) for value in log_probs)
    return ScoreResult(
        text=text,
        log_prob=total,
        tokens=len(ids),
        perplexity=_exp(-total / len(ids)) if len(ids) else None,
        bits_per_char=-total / (math.log(2.0) * len(text)) if text else None,
        unknown=count_unknown(opened.tokenizer, ids),
        per_token=tuple(
            TokenScore(token=opened.tokenizer.token(int(i)), log_prob=float(value))
            for i, value in zip(ids, log_probs, strict=True)
        ),
    )


def _exp(value: float) -> float:
    return math.exp(value) if value < 700.0 else math.inf
