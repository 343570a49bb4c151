"""Unicode code points: one token a character."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TokenizerError
from charlm.text.tokenizers.common import (
    UNK,
    VOCAB_FILE,
    as_ids,
    refuse_lowercase,
    require_keys,
    vocab_from,
)
from charlm.text.tokenizers.config import TokenizerConfig
from charlm.text.tokenizers.protocol import Ids, StreamDecoder
from charlm.text.vocab import Vocab

_BLOCK = 1 << 20  # characters at a time: bounds memory and stays near the cache
_REPLACEMENT = 0xFFFD
_CODE_POINTS = 0x110000


class CharTokenizer:
    """One token a code point; what the vocabulary lacks is `<unk>`, shown as U+FFFD.

    Example:
        >>> tokenizer = CharTokenizer.train(["banana"], TokenizerConfig())
        >>> tokenizer.encode("bang").tolist()
        [3, 1, 2, 0]
        >>> tokenizer.decode([3, 1, 2, 2, 1])
        'banna'
    """

    name: ClassVar[str] = "char"
    implies_blanks: ClassVar[bool] = False
    is_slow: ClassVar[bool] = False
    unk_id: int | None = 0
    eos_id: int | None = None
    hidden_ids: tuple[int, ...] = (0,)

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self._chars = (chr(_REPLACEMENT), *vocab.tokens[1:])
        codes = np.fromiter(map(ord, self._chars), dtype=np.uint32, count=len(vocab))
        self._codes = codes
        self._table = _lookup_table(codes[1:])

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, `<unk>` included."""
        return len(self.vocab)

    @classmethod
    def train(cls, pieces: Iterable[str], config: TokenizerConfig) -> Self:
        """Return the tokenizer of all characters of a text (or the most frequent ones)."""
        counter = cls.counter(config)
        for piece in pieces:
            counter.add(piece)
        return cls.from_counts(counter.take(), config)

    @classmethod
    def counter(cls, config: TokenizerConfig) -> CharCounter:
        """Return what counts characters."""
        refuse_lowercase(config, cls.name)
        return CharCounter()

    @classmethod
    def most_tokens(cls, config: TokenizerConfig) -> int | None:
        """Return how many characters are kept."""
        return config.vocab_size

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], config: TokenizerConfig) -> Self:
        """Return the tokenizer of these characters."""
        vocab = Vocab.build(
            counts,
            max_size=config.vocab_size,
            min_count=config.min_count or 1,
            specials=(UNK,),
        )
        return cls(vocab)

    def encode(self, text: str) -> Ids:
        """Return one id a character, `unk_id` for those never seen in training."""
        ids = np.empty(len(text), dtype=np.int32)
        for start in range(0, len(text), _BLOCK):
            codes = _code_points(text[start : start + _BLOCK])
            # the table's last entry is <unk>: clipping sends all higher characters there
            np.take(self._table, codes, mode="clip", out=ids[start : start + len(codes)])
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids."""
        array = as_ids(ids, self.vocab_size)
        blocks = range(0, len(array), _BLOCK)
        return "".join(self._decode_block(array[start : start + _BLOCK]) for start in blocks)

    def _decode_block(self, ids: Ids) -> str:
        return self._codes[ids].astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")

    def token(self, token_id: int) -> str:
        """Return the character, or `<unk>`."""
        return self.vocab.tokens[token_id]

    def decoder(self) -> StreamDecoder:
        """Return a decoder; every token is a whole character."""
        return _CharDecoder(self._chars)

    def count_chars(self, ids: Ids) -> int:
        """Return the number of ids: each is one code point."""
        return len(ids)

    def to_files(self) -> dict[str, bytes]:
        """Return the vocabulary file."""
        return {VOCAB_FILE: self.vocab.to_bytes()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], config: Mapping[str, object]) -> Self:
        """Return the tokenizer of a stored vocabulary."""
        require_keys(config, ())
        vocab = vocab_from(files, num_specials=1)
        if any(len(token) != 1 for token in vocab.tokens[1:]):
            raise TokenizerError(f"{VOCAB_FILE}: a token of a char tokenizer has one character")
        return cls(vocab)

    def config(self) -> dict[str, object]:
        """Return the name alone: the vocabulary says the rest."""
        return {"name": self.name}


class _CharDecoder:
    """Ids to characters one by one."""

    def __init__(self, chars: tuple[str, ...]) -> None:
        self._chars = chars

    def push(self, token_id: int) -> str:
        """Return the character."""
        return self._chars[token_id]

    def flush(self) -> str:
        """Return nothing: no character is held back."""
        return ""


class CharCounter:
    """Counts code points.

    Example:
        >>> counter = CharCounter()
        >>> counter.add("abba")
        >>> counter.take()
        {'a': 2, 'b': 2}
    """

    def __init__(self) -> None:
        self._totals = np.zeros(_CODE_POINTS, dtype=np.int64)

    def add(self, text: str) -> None:
        """Count the characters of a piece."""
        for start in range(0, len(text), _BLOCK):
            counts = np.bincount(_code_points(text[start : start + _BLOCK]))
            self._totals[: len(counts)] += counts

    def __len__(self) -> int:
        return 0  # it does not grow

    def take(self) -> dict[str, int]:
        """Return how often each character occurred, and forget it."""
        seen = np.flatnonzero(self._totals)
        counts = {chr(code): int(self._totals[code]) for code in seen.tolist()}
        self._totals[:] = 0
        return counts


def _code_points(text: str) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint32]:
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _lookup_table(codes: npt.NDArray[np.uint32]) -> Ids:
    """Return code point -> id, as long as the highest code point and one entry more."""
    table = np.zeros(int(codes.max(initial=0)) + 2, dtype=np.int32)
    table[codes] = np.arange(1, len(codes) + 1, dtype=np.int32)
    return table
