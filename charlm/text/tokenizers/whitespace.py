"""Text tokenised beforehand (PTB, wiki8): words between blanks, a token for each line end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import ClassVar, Self

import numpy as np

from charlm.text.pieces import Piece, blocks
from charlm.text.tokenizers.common import (
    UNK,
    VOCAB_FILE,
    as_ids,
    refuse_lowercase,
    require_keys,
    vocab_from,
)
from charlm.text.tokenizers.config import TokenizerConfig
from charlm.text.tokenizers.counting import WordCounter
from charlm.text.tokenizers.protocol import Ids, StreamDecoder, TokenCounter
from charlm.text.vocab import Vocab

EOS = "<eos>"
_EOS_ID = 1


class WhitespaceTokenizer:
    r"""Words split at white space; every line end is `<eos>`, `<unk>` is a word of the text.

    A last line without line end gets no `<eos>`. A written `<eos>` or `<unk>` is that token, as in
    the corpora made for such models. `decode` joins words by one blank and writes `<eos>` as a
    line end, so text in that form comes back as it was.

    Example:
        >>> tokenizer = WhitespaceTokenizer.train(["the cat\nthe <unk>\n"], TokenizerConfig())
        >>> tokenizer.encode("the dog\n").tolist()
        [2, 0, 1]
        >>> tokenizer.decode([2, 3, 1, 2])
        'the cat\nthe'
    """

    name: ClassVar[str] = "whitespace"
    implies_blanks: ClassVar[bool] = False
    is_slow: ClassVar[bool] = True
    unk_id: int | None = 0
    eos_id: int | None = _EOS_ID

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        # an <unk> that the training text never wrote is artificial
        self.hidden_ids: tuple[int, ...] = () if vocab.counts[0] else (0,)
        lengths = list(map(len, vocab.tokens))
        lengths[_EOS_ID] = 1
        self._lengths = np.array(lengths, dtype=np.int64)

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, `<unk>` and `<eos>` included."""
        return len(self.vocab)

    @classmethod
    def train(cls, pieces: Iterable[str], config: TokenizerConfig) -> Self:
        """Return the tokenizer of all words of a text (or the most frequent ones)."""
        counter = cls.counter(config)
        for piece in pieces:
            counter.add(piece)
        return cls.from_counts(counter.take(), config)

    @classmethod
    def counter(cls, config: TokenizerConfig) -> TokenCounter:
        """Return what counts words and line ends."""
        refuse_lowercase(config, cls.name)
        return WordCounter(_split)

    @classmethod
    def most_tokens(cls, config: TokenizerConfig) -> int | None:
        """Return how many words are kept."""
        return config.vocab_size

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], config: TokenizerConfig) -> Self:
        """Return the tokenizer of these words."""
        vocab = Vocab.build(
            counts,
            max_size=config.vocab_size,
            min_count=config.min_count or 1,
            specials=(UNK, EOS),
        )
        return cls(vocab)

    def encode(self, text: str) -> Ids:
        """Return the id of each word and line end."""
        found = []
        for block in blocks(Piece(text)):
            words = _split(block.text)
            ids = map(self.vocab.ids.get, words, repeat(0))
            found.append(np.fromiter(ids, dtype=np.int32, count=len(words)))
        return np.concatenate(found) if found else np.empty(0, dtype=np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """Return words joined by blanks, lines ended where `<eos>` stands."""
        decoder = self.decoder()
        return "".join(map(decoder.push, as_ids(ids, self.vocab_size).tolist()))

    def token(self, token_id: int) -> str:
        """Return the word."""
        return self.vocab.tokens[token_id]

    def decoder(self) -> StreamDecoder:
        """Return a decoder that puts blanks between words."""
        return _WhitespaceDecoder(self.vocab.tokens)

    def count_chars(self, ids: Ids) -> int:
        """Return how many code points `decode(ids)` has."""
        is_word = ids != _EOS_ID
        blanks = int(np.count_nonzero(is_word[1:] & is_word[:-1]))
        return int(self._lengths[ids].sum()) + blanks

    def to_files(self) -> dict[str, bytes]:
        """Return the vocabulary file."""
        return {VOCAB_FILE: self.vocab.to_bytes()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], config: Mapping[str, object]) -> Self:
        """Return the tokenizer of a stored vocabulary."""
        require_keys(config, ())
        return cls(vocab_from(files, num_specials=2))

    def config(self) -> dict[str, object]:
        """Return the name alone: the vocabulary says the rest."""
        return {"name": self.name}


class _WhitespaceDecoder:
    """Ids to words one by one, a blank before each that follows a word."""

    def __init__(self, tokens: tuple[str, ...]) -> None:
        self._tokens = tokens
        self._after_word = False

    def push(self, token_id: int) -> str:
        """Return the word with its blank, or a line end."""
        blank = " " if self._after_word else ""
        self._after_word = token_id != _EOS_ID
        return blank + self._tokens[token_id] if self._after_word else "\n"

    def flush(self) -> str:
        """Return nothing: no text is held back."""
        return ""


def _split(text: str) -> list[str]:
    return text.replace("\n", f" {EOS} ").split()
