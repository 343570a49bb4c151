"""From the words of a command line to ids: read, split, learn a tokenizer, encode."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CorpusError
from charlm.text.corpora import Corpus, open_corpus, repiece
from charlm.text.split import split_tail
from charlm.text.tokenizers import (
    Ids,
    Tokenizer,
    TokenizerConfig,
    encode_pieces,
    load_tokenizer,
    train_tokenizer,
)
from charlm.training.config import TrainConfig

VALID_FRACTION = 0.1
MOST_VALID_CHARS = 500_000
LEAST_TOKENS = 128
MOST_UNKNOWN = 0.1
_EXACT = ("char", "byte")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of the data: its ids, its length in characters, its unknown tokens."""

    ids: Ids
    chars: int
    unknown: int

    @property
    def chars_per_token(self) -> float:
        """Return how many characters a token stands for on average."""
        return self.chars / max(1, len(self.ids))


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrainData:
    """All the text of a run, as ids; `sha256` names the training ids and the tokenizer."""

    name: str
    description: str
    tokenizer: Tokenizer
    train: Part
    valid: Part | None
    test: Part | None
    warnings: tuple[str, ...]
    sha256: str

    def ends_line(self) -> npt.NDArray[np.bool_]:
        """Return which tokens end a line, (vocab,)."""
        eos = self.tokenizer.eos_id
        count = self.tokenizer.vocab_size
        ends = (i == eos or self.tokenizer.token(i).endswith("\n") for i in range(count))
        return np.fromiter(ends, dtype=bool, count=count)


def load_data(
    specs: Sequence[str],
    config: TrainConfig,
    known: tuple[dict[str, Any], dict[str, bytes]] | None = None,
) -> TrainData:
    """Return the data of a run.

    Args:
        specs: files, folders, globs, names of corpora, or `-`.
        config: how to split and tokenise.
        known: config and files of a tokenizer to use instead of learning one.

    Raises:
        CorpusError: if a text cannot be read, or is too short.
        TokenizerError: if no tokenizer can be made of it.
    """
    corpus = open_corpus(specs, encoding_errors=config.encoding_errors)
    train_text, valid_text = _split(corpus, config)
    warnings = list(corpus.warnings)
    tokenizer = load_tokenizer(*known) if known else _learn(train_text, config)
    train = _encode(tokenizer, train_text)
    _require_length(train, corpus, "to train on")
    valid = _encode(tokenizer, valid_text) if valid_text else None
    warnings.extend(_unknown_words(train, valid))
    test = None
    if config.test is not None:
        test = load_held_out(config.test, tokenizer, config, warnings)
    return TrainData(
        name=corpus.name,
        description=corpus.description,
        tokenizer=tokenizer,
        train=train,
        valid=valid,
        test=test,
        warnings=tuple(warnings + list(getattr(tokenizer, "warnings", ()))),
        sha256=_fingerprint(train, tokenizer),
    )


def load_held_out(
    spec: str, tokenizer: Tokenizer, config: TrainConfig, warnings: list[str]
) -> Part:
    """Return the text of a file or corpus as ids; what is odd about it joins `warnings`.

    Raises:
        CorpusError: if it cannot be read, or is empty.
    """
    return _encode(tokenizer, _held_out(spec, config, warnings))


def _split(corpus: Corpus, config: TrainConfig) -> tuple[str, str]:
    text = corpus.read()
    if not text:
        raise CorpusError(f"{corpus.description}: empty; expected text to train on")
    if not text.strip():
        raise CorpusError(f"{corpus.description}: nothing but blanks; expected text to train on")
    if config.valid is not None:
        warnings: list[str] = []
        valid = _held_out(config.valid, config, warnings)
        corpus.warnings.extend(warnings)
        if valid and valid in text:
            corpus.warnings.append("the validation text is part of the training text")
        return text, valid
    fraction = config.valid_fraction
    if fraction is None:
        fraction = min(VALID_FRACTION, MOST_VALID_CHARS / len(text))
    return split_tail(text, fraction, exact=config.tokenizer in _EXACT)


def _held_out(spec: str, config: TrainConfig, warnings: list[str]) -> str:
    corpus = open_corpus([spec], encoding_errors=config.encoding_errors)
    text = corpus.read()
    warnings.extend(corpus.warnings)
    if not text:
        raise CorpusError(f"{corpus.description}: empty; expected text")
    return text


def _learn(text: str, config: TrainConfig) -> Tokenizer:
    settings = TokenizerConfig(
        vocab_size=config.vocab_size, min_count=config.min_count, lowercase=config.lowercase
    )
    return train_tokenizer(config.tokenizer, _pieces(text), settings)


def _pieces(text: str) -> Iterator[str]:
    return repiece([text])


def _encode(tokenizer: Tokenizer, text: str) -> Part:
    ids = encode_pieces(tokenizer, _pieces(text))
    unknown = 0 if tokenizer.unk_id is None else int(np.count_nonzero(ids == tokenizer.unk_id))
    return Part(ids=ids, chars=len(text), unknown=unknown)


def _require_length(part: Part, corpus: Corpus, use: str) -> None:
    if len(part.ids) < LEAST_TOKENS:
        raise CorpusError(
            f"{corpus.description}: {len(part.ids):,} tokens {use}, need at least {LEAST_TOKENS:,};"
            " give more text"
        )


def _unknown_words(train: Part, valid: Part | None) -> list[str]:
    """Return a warning where so much is unknown that the figures mean little."""
    parts = {"training": train, "validation": valid}
    return [
        f"{part.unknown / len(part.ids):.0%} of the {name} tokens are unknown, and cheap to "
        "predict; a larger --vocab-size or a lower --min-count leaves fewer"
        for name, part in parts.items()
        if part is not None and part.unknown > MOST_UNKNOWN * len(part.ids)
    ]


def _fingerprint(train: Part, tokenizer: Tokenizer) -> str:
    digest = hashlib.sha256(repr(sorted(tokenizer.config().items())).encode())
    for name, contents in sorted(tokenizer.to_files().items()):
        digest.update(name.encode() + hashlib.sha256(contents).digest())
    digest.update(train.ids.tobytes())
    return digest.hexdigest()
