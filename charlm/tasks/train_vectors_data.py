"""From the words of a command line to a text as word ids, each word counted."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CorpusError
from charlm.tasks.train_events import Work
from charlm.tasks.train_vectors_config import MOST_WORDS, VectorsTrainConfig
from charlm.text.building import encode_text, learn_tokenizer
from charlm.text.corpora import open_corpus
from charlm.text.measuring import measure
from charlm.text.token_files import IdArray, release
from charlm.text.tokenizers import Tokenizer, TokenizerConfig
from charlm.vectors.pairs import PairCounter, count_followers
from charlm.vectors.phrases import choose_phrases, join_phrases
from charlm.vectors.training import WordStream
from charlm.vectors.words import Words, distinct_names

_PART = 1 << 22  # tokens looked at together
_NO_WORD, _TEXT_END = -2, -1
_COUNTED = ("word", "whitespace")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WordData:
    """A text as word ids; `sha256` names its words and their order."""

    name: str
    description: str
    chars: int
    words: Words
    stream: WordStream
    tokenizer_config: dict[str, Any]
    warnings: tuple[str, ...]
    sha256: str


def read_words(specs: Sequence[str], config: VectorsTrainConfig) -> Generator[Work, None, WordData]:
    """Return a text as word ids, yielding how far it is read.

    Words are the tokens with a letter or digit in them; symbols, line ends and rare words are
    left out, so that those on both sides of them are neighbours. With the whitespace tokenizer
    every line is a text of its own.

    Raises:
        CorpusError: if the text cannot be read or has too few words.
        TokenizerError: if no tokenizer can be made of it.
    """
    corpus = open_corpus(specs, encoding_errors=config.encoding_errors)
    text = yield from measure(corpus)
    if text.is_blank:
        raise CorpusError(f"{corpus.description}: nothing but blanks; expected text to train on")
    tokenizer = yield from learn_tokenizer(text, 0, text.chars, config.tokenizer, _learnt(config))
    tokens = yield from encode_text(text, 0, text.chars, tokenizer)
    found = _Vocabulary(tokenizer, tokens.ids, config, corpus.description)
    words, stream = found.words, WordStream(found.counts, len(tokens.ids), found.reader(tokens.ids))
    for _ in range(config.phrases):
        words, stream = yield from _with_phrases(words, stream, config, text.chars)
    digest = hashlib.sha256(words.data)
    digest.update(f"{tokens.sha256} {found.is_text_end}".encode())
    return WordData(
        name=corpus.name,
        description=corpus.description,
        chars=text.chars,
        words=words,
        stream=stream,
        tokenizer_config=tokenizer.config(),
        warnings=(*corpus.warnings, *getattr(tokenizer, "warnings", ())),
        sha256=digest.hexdigest(),
    )


def _with_phrases(
    words: Words, stream: WordStream, config: VectorsTrainConfig, chars: int
) -> Generator[Work, None, tuple[Words, WordStream]]:
    counter = PairCounter(np.ones(1))
    for tokens in count_followers(stream, counter):
        yield Work("looking for phrases", chars * tokens // stream.tokens, chars)
    keys = choose_phrases(counter.finish(), stream.counts, min_count=config.min_count)
    if not len(keys):
        return words, stream
    joined = join_phrases(words, stream, keys, min_count=config.min_count)
    return joined.words, joined.stream


def _learnt(config: VectorsTrainConfig) -> TokenizerConfig:
    if config.tokenizer not in _COUNTED:
        return TokenizerConfig(vocab_size=config.vocab_size)
    return TokenizerConfig(
        vocab_size=MOST_WORDS,
        min_count=config.min_count,
        lowercase=config.lowercase and config.tokenizer == "word",
    )


class _Vocabulary:
    """Which tokens are words, and their numbers in order of frequency."""

    def __init__(
        self, tokenizer: Tokenizer, ids: IdArray, config: VectorsTrainConfig, about: str
    ) -> None:
        size = tokenizer.vocab_size
        counts = _count(ids, size)
        names = distinct_names([tokenizer.token(token) for token in range(size)])
        is_word = np.fromiter(map(_is_word, names), dtype=bool, count=size)
        for special in (tokenizer.unk_id, tokenizer.eos_id, *tokenizer.hidden_ids):
            if special is not None:
                is_word[special] = False
        enough = is_word & (counts >= config.min_count)
        order = np.flatnonzero(enough)
        order = order[np.argsort(-counts[order], kind="stable")][: config.vocab_size]
        if len(order) < 2:
            raise CorpusError(_too_few(names, counts, is_word, len(order), config, about))
        self.is_text_end = tokenizer.name == "whitespace"
        self.counts: npt.NDArray[np.int64] = counts[order]
        self.words = Words.of(names[token] for token in order)
        self._numbers = np.full(size, _NO_WORD, dtype=np.int32)
        self._numbers[order] = np.arange(len(order), dtype=np.int32)
        if self.is_text_end and tokenizer.eos_id is not None:
            self._numbers[tokenizer.eos_id] = _TEXT_END

    def reader(self, ids: IdArray) -> Any:
        """Return what reads a part of the text as word ids."""
        numbers = self._numbers
        passed = [0]

        def read(start: int, stop: int) -> npt.NDArray[np.int32]:
            found = numbers[ids[start:stop]]
            passed[0] += stop - start
            if passed[0] > _PART:  # else a mapped file seems to fill the memory
                passed[0] = 0
                release(ids)
            words: npt.NDArray[np.int32] = found[found != _NO_WORD]
            return words

        return read


def _is_word(name: str) -> bool:
    return any(char.isalnum() for char in name) and name != "\\n"


def _count(ids: IdArray, size: int) -> npt.NDArray[np.int64]:
    counts = np.zeros(size, dtype=np.int64)
    for start in range(0, len(ids), _PART):
        counts += np.bincount(ids[start : start + _PART], minlength=size)
        release(ids)
    return counts


def _too_few(
    names: Sequence[str],
    counts: npt.NDArray[np.int64],
    is_word: npt.NDArray[np.bool_],
    found: int,
    config: VectorsTrainConfig,
    about: str,
) -> str:
    if config.min_count > 1:
        times = f"{config.min_count:,} times or more"
        advice = "lower --min-count or give more text"
    else:
        times, advice = "at all", "give more text"
    if not found:
        return f"{about}: no word occurs {times}; {advice}"
    word = names[int(np.argmax(np.where(is_word, counts, -1)))]
    return f"{about}: only one word occurs {times}, {word[:40]!r}; {advice}"
