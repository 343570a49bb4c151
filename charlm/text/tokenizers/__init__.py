"""The index of tokenizers: registry, training, loading, and encoding in pieces."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np

from charlm.base.errors import ConfigError, TokenizerError
from charlm.base.registry import Registry
from charlm.text.tokenizers.config import TokenizerConfig
from charlm.text.tokenizers.protocol import CountingTokenizer, Ids, StreamDecoder, Tokenizer

__all__ = [
    "TOKENIZERS",
    "CountingTokenizer",
    "Ids",
    "StreamDecoder",
    "Tokenizer",
    "TokenizerConfig",
    "counting_class",
    "encode_pieces",
    "load_tokenizer",
    "tokenizer_class",
    "train_tokenizer",
]

_SPARE_LINES, _SPARE_BYTES = 16, 4 << 20

# name -> where its class is: a query imports the one tokenizer that its model has
TOKENIZERS: Registry[str] = Registry("tokenizer")
for _name, _place in (
    ("char", "char:CharTokenizer"),
    ("byte", "byte:ByteTokenizer"),
    ("word", "word:WordTokenizer"),
    ("whitespace", "whitespace:WhitespaceTokenizer"),
    ("bpe", "subword:BpeTokenizer"),
    ("unigram", "subword:UnigramTokenizer"),
    ("sentencepiece", "subword:SentencepieceTokenizer"),
):
    TOKENIZERS.register(_name)(_place)


def tokenizer_class(name: str) -> type[Tokenizer]:
    """Return the class of a registered tokenizer.

    Raises:
        ConfigError: if there is no tokenizer of that name.
    """
    module, _, class_name = TOKENIZERS.get(name).partition(":")
    found = getattr(importlib.import_module(f"{__name__}.{module}"), class_name)
    return cast("type[Tokenizer]", found)


def counting_class(name: str) -> type[CountingTokenizer] | None:
    """Return the class of a tokenizer that counts of tokens make; None for another."""
    found = tokenizer_class(name)
    return cast("type[CountingTokenizer]", found) if hasattr(found, "from_counts") else None


def train_tokenizer(
    name: str, pieces: Iterable[str], config: TokenizerConfig | None = None
) -> Tokenizer:
    """Return a tokenizer trained on a text in pieces.

    Args:
        name: a registered name, or the path of a sentencepiece file that ends in `.model`.
        pieces: the text, each piece ending at a line end, as `Corpus.pieces` gives them.
        config: sizes and options; defaults where None.

    Raises:
        ConfigError: if there is no tokenizer of that name.
        TokenizerError: if none can be made of this text.
    """
    config = config or TokenizerConfig()
    if name.endswith(".model"):
        name, config = "sentencepiece", dataclasses.replace(config, model_file=name)
    return tokenizer_class(name).train(pieces, config)


def load_tokenizer(
    config: Mapping[str, object], files: Mapping[str, bytes], *, vocab_size: int | None = None
) -> Tokenizer:
    """Return the tokenizer of a model folder.

    Args:
        config: what `Tokenizer.config` returned.
        files: what `Tokenizer.to_files` returned; others are let be.
        vocab_size: of the model that it is for: files that hold far more are refused before they
            are read, for reading them takes many times their size.

    Raises:
        TokenizerError: if either is missing something, malformed or inconsistent.
    """
    try:
        kind = tokenizer_class(str(config.get("name")))
    except ConfigError as error:
        raise TokenizerError(str(error)) from error
    if vocab_size is not None:
        _require_modest(files, vocab_size)
    return kind.from_files(files, config)


def _require_modest(files: Mapping[str, bytes], vocab_size: int) -> None:
    """Raise `TokenizerError` for files that hold far more than a vocabulary of that size.

    A `vocab.json` has a token a line; a sentencepiece file some bytes a piece beside its own
    tables.
    """
    for name, data in files.items():
        too_many = name.endswith(".json") and data.count(b"\n") > vocab_size + _SPARE_LINES
        if too_many or (name.endswith(".model") and len(data) > _SPARE_BYTES + 300 * vocab_size):
            raise TokenizerError(f"{name} holds far more than the {vocab_size:,} tokens expected")


def encode_pieces(tokenizer: Tokenizer, pieces: Iterable[str]) -> Ids:
    """Return the ids of a text in pieces, the same as those of the whole.

    Uses two or four bytes an id beside the piece at hand. Pieces must end at line ends; where a
    line was cut because of its length, the token at the cut may differ for words and subwords.
    """
    small = np.dtype(np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.int32)
    parts = [tokenizer.encode(piece).astype(small, copy=False) for piece in pieces]
    ids = np.empty(sum(map(len, parts)), dtype=np.int32)
    end = 0
    for part in parts:
        ids[end : end + len(part)] = part
        end += len(part)
    return ids
