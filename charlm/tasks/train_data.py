"""From the words of a command line to ids: read, split, learn a tokenizer, encode."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Generator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CorpusError
from charlm.text.building import encode_text, learn_tokenizer, tokenizer_sha256
from charlm.text.corpora import Corpus, open_corpus
from charlm.text.corpus import Watch
from charlm.text.measuring import MeasuredText, Work, measure
from charlm.text.token_files import mapping_of
from charlm.text.tokenizers import Tokenizer, TokenizerConfig, load_tokenizer
from charlm.training.config import TrainConfig

R = TypeVar("R")

VALID_FRACTION = 0.1
MOST_VALID_CHARS = 500_000
LEAST_TOKENS = 128
MOST_UNKNOWN = 0.1
_EXACT = ("char", "byte")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of the data: its ids, its length in characters, its unknown tokens.

    The ids are int32 in memory; those of a large text are mapped from a file, in the smallest
    unsigned type that holds them. `sha256` is of their bytes in that type, in memory or not.
    """

    ids: npt.NDArray[np.integer[Any]]
    chars: int
    unknown: int
    sha256: str

    def in_memory(self) -> npt.NDArray[np.int32]:
        """Return the ids in memory, for those who need them all at once."""
        return self.ids.astype(np.int32, copy=False)

    @property
    def held_bytes(self) -> int:
        """Return how much memory the ids take: none where they are mapped."""
        return 0 if mapping_of(self.ids) is not None else self.ids.nbytes

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
    watch: Watch

    def news(self) -> list[str]:
        """Return a warning for each file that has changed since it was read, once."""
        return [
            f"{path} has changed since it was read; this training goes on with the text as it was, "
            "but --resume will want that text back"
            for path in self.watch.news()
        ]

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
    """Return the data of a run; see `read_data`, which also tells how far it is."""
    return _finished(read_data(specs, config, known))


def read_data(
    specs: Sequence[str],
    config: TrainConfig,
    known: tuple[dict[str, Any], dict[str, bytes]] | None = None,
) -> Generator[Work, None, TrainData]:
    """Return the data of a run, yielding how far a large text is.

    Args:
        specs: files, folders, globs, names of corpora, or `-`.
        config: how to split and tokenise.
        known: config and files of a tokenizer to use instead of learning one.

    Raises:
        CorpusError: if a text cannot be read, or is too short.
        TokenizerError: if no tokenizer can be made of it.
    """
    corpus = open_corpus(specs, encoding_errors=config.encoding_errors)
    text = yield from measure(corpus)
    _require_text(text)
    stop, held_out = yield from _split(text, config)
    if known:
        tokenizer = load_tokenizer(*known)
    else:
        settings = TokenizerConfig(
            vocab_size=config.vocab_size, min_count=config.min_count, lowercase=config.lowercase
        )
        tokenizer = yield from learn_tokenizer(text, 0, stop, config.tokenizer, settings)
    train = yield from _encode(tokenizer, text, 0, stop)
    _require_length(train, corpus, "to train on")
    valid = None
    if held_out is not None and held_out.chars:
        valid = yield from _encode(tokenizer, held_out, 0, held_out.chars)
    elif held_out is None and stop < text.chars:
        valid = yield from _encode(tokenizer, text, stop, text.chars)
    warnings = [*corpus.warnings, *_unknown_words(train, valid)]
    test = None
    if config.test is not None:
        test = yield from _held_out_part(config.test, tokenizer, config, warnings)
    return TrainData(
        name=corpus.name,
        description=corpus.description,
        tokenizer=tokenizer,
        train=train,
        valid=valid,
        test=test,
        warnings=tuple(warnings + list(getattr(tokenizer, "warnings", ()))),
        sha256=_fingerprint(train, tokenizer),
        watch=text.watch,
    )


def load_held_out(
    spec: str, tokenizer: Tokenizer, config: TrainConfig, warnings: list[str]
) -> Part:
    """Return the text of a file or corpus as ids; what is odd about it joins `warnings`.

    Raises:
        CorpusError: if it cannot be read, or is empty.
    """
    return _finished(_held_out_part(spec, tokenizer, config, warnings))


def _finished(work: Generator[Work, None, R]) -> R:
    """Return what a piece of work returns, its progress let be."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            result: R = stop.value
            return result


def _held_out_part(
    spec: str, tokenizer: Tokenizer, config: TrainConfig, warnings: list[str]
) -> Generator[Work, None, Part]:
    text = yield from _held_out(spec, config, warnings)
    return (yield from _encode(tokenizer, text, 0, text.chars))


def _require_text(text: MeasuredText) -> None:
    about = text.corpus.description
    if not text.chars:
        raise CorpusError(f"{about}: empty; expected text to train on")
    if text.is_blank:
        raise CorpusError(f"{about}: nothing but blanks; expected text to train on")


def _split(
    text: MeasuredText, config: TrainConfig
) -> Generator[Work, None, tuple[int, MeasuredText | None]]:
    """Return where the training text ends, and the validation text where it is another one."""
    if config.valid is not None:
        warnings: list[str] = []
        held_out = yield from _held_out(config.valid, config, warnings)
        text.corpus.warnings.extend(warnings)
        if text.contains(held_out):
            text.corpus.warnings.append("the validation text is part of the training text")
        return text.chars, held_out
    fraction = config.valid_fraction
    if fraction is None:
        fraction = min(VALID_FRACTION, MOST_VALID_CHARS / text.chars)
    return text.tail_start(fraction, exact=config.tokenizer in _EXACT), None


def _held_out(
    spec: str, config: TrainConfig, warnings: list[str]
) -> Generator[Work, None, MeasuredText]:
    corpus = open_corpus([spec], encoding_errors=config.encoding_errors)
    text = yield from measure(corpus)
    warnings.extend(corpus.warnings)
    if not text.chars:
        raise CorpusError(f"{corpus.description}: empty; expected text")
    return text


def _encode(
    tokenizer: Tokenizer, text: MeasuredText, start: int, stop: int
) -> Generator[Work, None, Part]:
    found = yield from encode_text(text, start, stop, tokenizer)
    return Part(ids=found.ids, chars=stop - start, unknown=found.unknown, sha256=found.sha256)


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
    return hashlib.sha256(f"{tokenizer_sha256(tokenizer)} {train.sha256}".encode()).hexdigest()
