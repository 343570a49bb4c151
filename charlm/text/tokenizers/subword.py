"""Subwords by sentencepiece: bpe and unigram trained on the text, or a given `.model` file.

Models trained here lose nothing: no Unicode normalisation, blanks and line ends kept, bytes for
characters outside the vocabulary. NUL and U+2581 (sentencepiece's own sign for a blank) go by their
bytes. A foreign model may normalise text; then only what it keeps comes back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from charlm.base.errors import TokenizerError
from charlm.text.normalize import replace_surrogates
from charlm.text.tokenizers.common import (
    ChunkCache,
    Utf8Decoder,
    as_ids,
    encode_chunks,
    refuse_lowercase,
    require_keys,
    required_file,
)
from charlm.text.tokenizers.config import TokenizerConfig
from charlm.text.tokenizers.protocol import Ids, StreamDecoder
from charlm.text.tokenizers.sentencepieces import load_model, read_model_file, train_model

MODEL_FILE = "tokenizer.model"
_BLANK = "\u2581"
_BY_BYTES = re.compile("([\0\u2581])")
_CHUNKS = re.compile(r"\n| *[^ \n]+| +")  # no piece holds a blank behind another character …
_LINES = re.compile(r"\n|[^\n]+")  # … but in some foreign models
_INNER_BLANK = re.compile(f"[^{_BLANK}]{_BLANK}")
_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


class SentencepieceTokenizer:
    """Pieces of a given sentencepiece model; `BpeTokenizer` and `UnigramTokenizer` train one."""

    name: ClassVar[str] = "sentencepiece"
    implies_blanks: ClassVar[bool] = False
    is_slow: ClassVar[bool] = True
    eos_id: int | None = None

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._processor = load_model(model)
        try:
            self._bytes = [self._piece_bytes(i) for i in range(self.vocab_size)]
        except UnicodeDecodeError as error:
            raise TokenizerError(f"{MODEL_FILE}: a piece is no UTF-8 ({error})") from error
        self._cache = ChunkCache(self._encode_chunk)

    @property
    def vocab_size(self) -> int:
        """How many pieces there are."""
        return int(self._processor.get_piece_size())

    @property
    def unk_id(self) -> int | None:
        """The id for unknown characters; None where bytes stand in for them."""
        return None if self._has_bytes else int(self._processor.unk_id())

    @cached_property
    def hidden_ids(self) -> tuple[int, ...]:
        """The unknown piece, control pieces and unused ones."""
        sp = self._processor
        return tuple(
            i
            for i in range(self.vocab_size)
            if sp.is_unknown(i) or sp.is_control(i) or sp.is_unused(i)
        )

    @cached_property
    def _byte_ids(self) -> dict[int, int]:
        """Byte value -> id, empty where the model has no byte pieces."""
        sp = self._processor
        pieces = ((i, sp.id_to_piece(i)) for i in range(self.vocab_size) if sp.is_byte(i))
        return {int(piece[3:5], 16): i for i, piece in pieces if _BYTE_PIECE.fullmatch(piece)}

    @property
    def _has_bytes(self) -> bool:
        return len(self._byte_ids) == 256

    @cached_property
    def _is_exact(self) -> bool:
        """Whether blanks, line ends and odd characters survive this model."""
        probe = " a\n\n\tB  c \u0301é\ufb01 \n"
        return self._has_bytes and self._text(self._processor.encode(probe)) == probe

    @cached_property
    def _chunks(self) -> re.Pattern[str]:
        """What cuts a text into parts that are encoded, and remembered, each by itself."""
        pieces = map(self._processor.id_to_piece, range(self.vocab_size))
        return _LINES if any(map(_INNER_BLANK.search, pieces)) else _CHUNKS

    @cached_property
    def _strips_blank(self) -> bool:
        """Whether the model puts a blank before the text that decoding takes off again."""
        return not self._is_exact and self._text(self._processor.encode("a")) == " a"

    @classmethod
    def train(cls, pieces: Iterable[str], config: TokenizerConfig) -> Self:
        """Return the tokenizer of `config.model_file`; this kind is not trained.

        Raises:
            TokenizerError: if no file is named, or it is no sentencepiece model.
        """
        refuse_lowercase(config, cls.name)
        if config.model_file is None:
            raise TokenizerError("give a sentencepiece file: --tokenizer FILE.model")
        return cls(read_model_file(config.model_file))

    def encode(self, text: str) -> Ids:
        """Return the ids of the pieces of a text."""
        text = replace_surrogates(text)
        if not self._is_exact:
            return np.array(self._processor.encode(text.replace("\0", "")), dtype=np.int32)
        return encode_chunks(text, self._chunks.findall, self._cache)

    def _encode_chunk(self, chunk: str) -> tuple[int, ...]:
        ids: list[int] = []
        for part in _BY_BYTES.split(chunk):
            if part in ("\0", _BLANK):
                ids += (self._byte_ids[byte] for byte in part.encode())
            elif part:
                ids += self._processor.encode(part)
        return tuple(ids)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, U+FFFD for bytes that are no UTF-8."""
        text = self._text(as_ids(ids, self.vocab_size).tolist())
        return text[1:] if self._strips_blank and text.startswith(" ") else text

    def _text(self, ids: list[int]) -> str:
        return b"".join([self._bytes[i] for i in ids]).decode("utf-8", "replace")

    def _piece_bytes(self, token_id: int) -> bytes:
        sp = self._processor
        piece: str = sp.id_to_piece(token_id)
        if sp.is_control(token_id) or sp.is_unused(token_id):
            return b""
        if sp.is_unknown(token_id):
            return "\ufffd".encode()
        if sp.is_byte(token_id) and (match := _BYTE_PIECE.fullmatch(piece)):
            return bytes([int(match[1], 16)])
        return piece.replace(_BLANK, " ").encode()

    def token(self, token_id: int) -> str:
        """Return the piece as text; a byte as `<0xE4>`, control pieces by their names."""
        sp = self._processor
        named = sp.is_control(token_id) or sp.is_unknown(token_id) or sp.is_byte(token_id)
        piece: str = sp.id_to_piece(token_id)
        return piece if named else piece.replace(_BLANK, " ")

    def decoder(self) -> StreamDecoder:
        """Return a decoder that holds back unfinished characters."""
        decoder = Utf8Decoder(self._bytes)
        return _BlankStripper(decoder) if self._strips_blank else decoder

    def count_chars(self, ids: Ids) -> int:
        """Return how many code points `decode(ids)` has."""
        return len(self.decode(ids))

    def to_files(self) -> dict[str, bytes]:
        """Return the sentencepiece model."""
        return {MODEL_FILE: self._model}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], config: Mapping[str, object]) -> Self:
        """Return the tokenizer of a stored model."""
        require_keys(config, ())
        return cls(required_file(files, MODEL_FILE))

    def config(self) -> dict[str, object]:
        """Return the name alone: the model file says the rest."""
        return {"name": self.name}


class BpeTokenizer(SentencepieceTokenizer):
    """Byte-pair merges learnt from the text (Sennrich et al. 2016, arXiv:1508.07909)."""

    name: ClassVar[str] = "bpe"

    @classmethod
    def train(cls, pieces: Iterable[str], config: TokenizerConfig) -> Self:
        """Return a tokenizer of pieces merged by frequency."""
        refuse_lowercase(config, cls.name)
        return cls(train_model(cls.name, pieces, config.vocab_size))


class UnigramTokenizer(SentencepieceTokenizer):
    """Pieces of a unigram model learnt from the text (Kudo 2018, arXiv:1804.10959)."""

    name: ClassVar[str] = "unigram"

    @classmethod
    def train(cls, pieces: Iterable[str], config: TokenizerConfig) -> Self:
        """Return a tokenizer of pieces chosen by likelihood."""
        refuse_lowercase(config, cls.name)
        return cls(train_model(cls.name, pieces, config.vocab_size))


class _BlankStripper:
    """A stream decoder that drops the blank a foreign model puts before a text."""

    def __init__(self, inner: StreamDecoder) -> None:
        self._inner = inner
        self._begun = False

    def push(self, token_id: int) -> str:
        """Return the text that is now certain."""
        return self._strip(self._inner.push(token_id))

    def flush(self) -> str:
        """Return what was held back."""
        return self._strip(self._inner.flush())

    def _strip(self, text: str) -> str:
        if self._begun or not text:
            return text
        self._begun = True
        return text.removeprefix(" ")
