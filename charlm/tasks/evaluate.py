"""A language model's exact figures on held-out text."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from charlm.base.errors import CorpusError
from charlm.tasks.load import OpenModel, count_unknown
from charlm.tasks.scoring import evaluate_ids
from charlm.text.corpora import open_corpus


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateResult:
    """Figures over all tokens of a text, state carried from its beginning."""

    model: str
    file: str
    nats_per_token: float
    perplexity: float
    bits_per_char: float
    tokens: int
    chars: int
    unknown_rate: float
    warnings: tuple[str, ...]


def evaluate_model(
    opened: OpenModel, files: Sequence[str], *, encoding_errors: str = "strict"
) -> EvaluateResult:
    """Return the figures of a model on the text of `files`.

    Raises:
        CorpusError: if the text cannot be read or is empty.
    """
    corpus = open_corpus(list(files), encoding_errors=encoding_errors)
    text = corpus.read()
    ids = opened.tokenizer.encode(text)
    if not len(ids):
        raise CorpusError(f"{' '.join(files)}: no tokens, need at least 1")
    nll, tokens = evaluate_ids(opened.model, ids)
    chars = len(text)  # of the text, not of what its ids spell: unknown words have a length too
    nats = nll / tokens
    return EvaluateResult(
        model=opened.name,
        file=" ".join(files),
        nats_per_token=nats,
        perplexity=math.exp(nats) if nats < 700.0 else math.inf,
        bits_per_char=nll / (math.log(2.0) * max(chars, 1)),
        tokens=tokens,
        chars=chars,
        unknown_rate=count_unknown(opened.tokenizer, ids) / tokens,
        warnings=tuple(corpus.warnings),
    )
