"""A language model's exact figures on held-out text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CorpusError
from charlm.metrics.likelihood import LN2, perplexity
from charlm.tasks.blocks import token_blocks
from charlm.tasks.load import OpenModel, count_unknown
from charlm.tasks.scoring import block_scorer, score_ids, takes_blocks
from charlm.text.corpora import open_corpus
from charlm.text.corpus import Corpus

if TYPE_CHECKING:
    from charlm.engine.cache import CacheSettings
    from charlm.engine.dynamic import DynamicSettings


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Likelihood over the same tokens by another reckoning, and the settings it was got with."""

    nats_per_token: float
    perplexity: float
    bits_per_char: float
    settings: dict[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateResult:
    """Figures over all tokens of a text, state carried from its beginning.

    Attributes:
        with_spelling: where unknown words are priced by their spelling too.
        dynamic: under dynamic evaluation.
        cache: with a neural cache.
    """

    model: str
    file: str
    nats_per_token: float
    perplexity: float
    bits_per_char: float
    tokens: int
    chars: int
    unknown_rate: float
    warnings: tuple[str, ...]
    with_spelling: Figures | None = None
    dynamic: Figures | None = None
    cache: Figures | None = None


def evaluate_model(
    opened: OpenModel,
    files: Sequence[str],
    *,
    encoding_errors: str = "strict",
    char_backoff: bool = False,
    dynamic: DynamicSettings | None = None,
    cache: CacheSettings | None = None,
    tune: str | None = None,
) -> EvaluateResult:
    """Return the figures of a model on the text of `files`.

    Args:
        char_backoff: reckon also with unknown words priced by their spelling.
        dynamic: reckon also with dynamic evaluation.
        cache: reckon also with a neural cache.
        tune: a text to find the settings of these two on.

    Raises:
        CorpusError: if the text cannot be read or is empty.
        TaskError: if the model cannot be reckoned so.
    """
    name = " ".join(files)
    corpus = open_corpus(list(files), encoding_errors=encoding_errors)
    if not (char_backoff or dynamic or cache) and takes_blocks(opened.model):
        return _in_blocks(opened, corpus, name)
    text = corpus.read()
    ids = _encode(opened, text, name)
    scores = score_ids(opened.model, ids)
    chars = len(text)  # of the text, not of what its ids spell: unknown words have a length too
    totals = _Totals(-float(scores.sum()), len(ids), chars, count_unknown(opened.tokenizer, ids))
    result = _result(opened, corpus, name, totals)
    if char_backoff:
        from charlm.tasks.unknown import UnknownWords

        extra = UnknownWords(opened).extra(text, ids)
        result = dataclasses.replace(result, with_spelling=_figures(scores + extra, chars))
    if dynamic is None and cache is None:
        return result
    from charlm.tasks import adaptive

    tuning = None
    if tune is not None:
        other = open_corpus([tune], encoding_errors=encoding_errors)
        tuning = _encode(opened, other.read(), tune)
    if cache is not None:
        found, used = adaptive.cached(opened, ids, cache, tuning)
        result = dataclasses.replace(result, cache=_figures(found, chars, used))
    if dynamic is not None:
        adapted, chosen = adaptive.adapted(opened, ids, dynamic, tuning)
        result = dataclasses.replace(result, dynamic=_figures(adapted, chars, chosen))
    return result


class _Totals(NamedTuple):
    """What the figures of a text are made from."""

    nll: float = 0.0
    tokens: int = 0
    chars: int = 0
    unknown: int = 0


def _result(opened: OpenModel, corpus: Corpus, name: str, totals: _Totals) -> EvaluateResult:
    nats = totals.nll / totals.tokens
    return EvaluateResult(
        model=opened.name,
        file=name,
        nats_per_token=nats,
        perplexity=perplexity(nats),
        bits_per_char=totals.nll / (LN2 * max(totals.chars, 1)),
        tokens=totals.tokens,
        chars=totals.chars,
        unknown_rate=totals.unknown / totals.tokens,
        warnings=tuple(corpus.warnings),
    )


def _in_blocks(opened: OpenModel, corpus: Corpus, name: str) -> EvaluateResult:
    """Reckon in memory that does not grow with the text."""
    tokenizer, score = opened.tokenizer, block_scorer(opened.model)
    totals = _Totals()
    for ids, chars in token_blocks(corpus.read_parts(), tokenizer):
        totals = _Totals(
            totals.nll - float(score(ids).sum()),
            totals.tokens + len(ids),
            totals.chars + chars,
            totals.unknown + count_unknown(tokenizer, ids),
        )
    if not totals.tokens:
        raise CorpusError(f"{name}: no tokens, need at least 1")
    return _result(opened, corpus, name, totals)


def _encode(opened: OpenModel, text: str, name: str) -> Any:
    ids = opened.tokenizer.encode(text)
    if not len(ids):
        raise CorpusError(f"{name}: no tokens, need at least 1")
    return ids


def _rates(scores: npt.NDArray[np.float64], chars: int) -> tuple[float, float]:
    nll = -float(scores.sum())
    return nll / len(scores), nll / (LN2 * max(chars, 1))


def _figures(scores: npt.NDArray[np.float64], chars: int, settings: Any = None) -> Figures:
    nats, bits = _rates(scores, chars)
    used = dataclasses.asdict(settings) if settings is not None else {}
    return Figures(
        nats_per_token=nats, perplexity=perplexity(nats), bits_per_char=bits, settings=used
    )
