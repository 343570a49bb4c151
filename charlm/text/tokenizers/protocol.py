"""What every tokenizer can do, whatever its unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from charlm.text.tokenizers.config import TokenizerConfig

Ids = npt.NDArray[np.int32]


class StreamDecoder(Protocol):
    """Turns ids that arrive one by one into text that can be shown at once."""

    def push(self, token_id: int) -> str:
        """Return the text that is now certain: never half a character, possibly empty."""

    def flush(self) -> str:
        """Return what was held back; called once, after the last id."""


class Tokenizer(Protocol):
    """Text to ids and back. Instances are immutable once trained or loaded.

    Ids run from 0 to `vocab_size - 1`. The beginning of a text is no token of the vocabulary:
    language models add an input row of their own for it (see `engine`).

    Attributes:
        implies_blanks: whether one blank between two words is no token, so that a text cut there
            must leave it out (see `charlm.text.pieces`).
        is_slow: whether encoding takes so long that other processors should help.
    """

    name: ClassVar[str]
    implies_blanks: ClassVar[bool]
    is_slow: ClassVar[bool]

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""

    @property
    def unk_id(self) -> int | None:
        """The id that stands for what the vocabulary lacks; None where nothing can be unknown."""

    @property
    def eos_id(self) -> int | None:
        """The id that stands for the end of a line, where the tokenizer has one."""

    @property
    def hidden_ids(self) -> tuple[int, ...]:
        """Ids that sampling must never draw: they stand for no text of their own."""

    @classmethod
    def train(cls, pieces: Iterable[str], config: TokenizerConfig) -> Self:
        """Return a tokenizer learnt from a text that arrives in pieces, each ending a line.

        Raises:
            TokenizerError: if no tokenizer can be made of this text.
        """

    def encode(self, text: str) -> Ids:
        """Return the ids of a text; what is unknown becomes `unk_id`, never an error."""

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids.

        Raises:
            ValueError: if an id is outside the vocabulary.
        """

    def token(self, token_id: int) -> str:
        """Return one token as text to show in tables; exact characters, not sanitised."""

    def decoder(self) -> StreamDecoder:
        """Return a fresh decoder for a stream of ids."""

    def count_chars(self, ids: Ids) -> int:
        """Return how many code points the text of these ids has (for bits per character)."""

    def to_files(self) -> dict[str, bytes]:
        """Return the tokenizer's own files, by fixed name, to stand in a model folder."""

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], config: Mapping[str, object]) -> Self:
        """Return the tokenizer that `to_files` and `config` describe; checks everything.

        Raises:
            TokenizerError: if a file is missing, too large, malformed or inconsistent.
        """

    def config(self) -> dict[str, object]:
        """Return what `from_files` needs beside the files: plain JSON values, with `name`."""


class TokenCounter(Protocol):
    """Counts the tokens of a text that arrives in pieces, in no order that matters."""

    def add(self, text: str) -> None:
        """Count the tokens of a piece."""

    def __len__(self) -> int:
        """Return about how many entries are held."""

    def take(self) -> dict[str, int]:
        """Return the counts since the last time, and forget them."""


class CountingTokenizer(Tokenizer, Protocol):
    """A tokenizer that is known from how often each token occurs."""

    @classmethod
    def counter(cls, config: TokenizerConfig) -> TokenCounter:
        """Return what counts the tokens of a text, before there is a vocabulary."""

    @classmethod
    def most_tokens(cls, config: TokenizerConfig) -> int | None:
        """Return how many of the most frequent tokens are kept, None for all."""

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], config: TokenizerConfig) -> Self:
        """Return the tokenizer of these counts.

        Raises:
            TokenizerError: if no tokenizer can be made of them.
        """
