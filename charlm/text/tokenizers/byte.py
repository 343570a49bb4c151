"""Bytes of UTF-8: 256 tokens, nothing unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

import numpy as np

from charlm.text.normalize import replace_surrogates
from charlm.text.tokenizers.common import Utf8Decoder, as_ids, refuse_lowercase, require_keys
from charlm.text.tokenizers.config import TokenizerConfig
from charlm.text.tokenizers.protocol import Ids, StreamDecoder

_BYTES = [bytes([value]) for value in range(256)]


class ByteTokenizer:
    r"""One token a byte of the text's UTF-8; ids that are no UTF-8 decode to U+FFFD.

    Example:
        >>> ByteTokenizer().encode("né").tolist()
        [110, 195, 169]
        >>> ByteTokenizer().decode([110, 195])
        'n\ufffd'
    """

    name: ClassVar[str] = "byte"
    implies_blanks: ClassVar[bool] = False
    is_slow: ClassVar[bool] = False
    vocab_size = 256
    unk_id: int | None = None
    eos_id: int | None = None
    hidden_ids: tuple[int, ...] = ()

    @classmethod
    def train(cls, pieces: Iterable[str], config: TokenizerConfig) -> Self:
        """Return the tokenizer; there is nothing to learn, and `pieces` is not read."""
        refuse_lowercase(config, cls.name)
        return cls()

    def encode(self, text: str) -> Ids:
        """Return the bytes of the text; a lone surrogate becomes those of U+FFFD."""
        data = replace_surrogates(text).encode()
        return np.frombuffer(data, dtype=np.uint8).astype(np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, U+FFFD where they are no UTF-8."""
        return as_ids(ids, 256).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def token(self, token_id: int) -> str:
        """Return the character of an ASCII byte, else the byte as `<0xC3>`."""
        return chr(token_id) if token_id < 128 else f"<0x{token_id:02X}>"

    def decoder(self) -> StreamDecoder:
        """Return a decoder that holds back unfinished characters."""
        return Utf8Decoder(_BYTES)

    def count_chars(self, ids: Ids) -> int:
        """Return how many code points `decode(ids)` has."""
        return len(self.decode(ids))

    def to_files(self) -> dict[str, bytes]:
        """Return no files: there is nothing to store."""
        return {}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], config: Mapping[str, object]) -> Self:
        """Return the tokenizer."""
        require_keys(config, ())
        return cls()

    def config(self) -> dict[str, object]:
        """Return the name alone."""
        return {"name": self.name}
