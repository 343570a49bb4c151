"""What several tokenizers share: checking ids, the vocabulary file, UTF-8 that arrives in parts."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping
from itertools import chain

import numpy as np

from charlm.base.errors import TokenizerError
from charlm.text.pieces import blocks, cut_pieces
from charlm.text.tokenizers.config import TokenizerConfig
from charlm.text.tokenizers.protocol import Ids
from charlm.text.vocab import Vocab

VOCAB_FILE = "vocab.json"
UNK = "<unk>"
_MAX_CACHED = 1 << 18
_MAX_CACHED_CHARS = 256


def as_ids(ids: Iterable[int], vocab_size: int) -> Ids:
    """Return ids as an int32 array.

    Raises:
        ValueError: if an id is outside `0 … vocab_size - 1`.
    """
    array = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids))
    if array.size == 0:
        return np.empty(0, dtype=np.int32)
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= vocab_size:
        wrong = low if low < 0 else high
        raise ValueError(f"id {wrong} is outside the vocabulary of {vocab_size} tokens")
    return array.astype(np.int32, copy=False)


def vocab_from(files: Mapping[str, bytes], num_specials: int) -> Vocab:
    """Return the vocabulary of a model folder.

    Raises:
        TokenizerError: if the file is missing, malformed, or has other special tokens.
    """
    data = required_file(files, VOCAB_FILE)
    vocab = Vocab.from_bytes(data, where=VOCAB_FILE)
    if vocab.num_specials != num_specials:
        raise TokenizerError(
            f"{VOCAB_FILE}: {vocab.num_specials} special tokens, expected {num_specials}"
        )
    return vocab


def required_file(files: Mapping[str, bytes], name: str) -> bytes:
    """Return one of a tokenizer's files, or raise `TokenizerError` naming it."""
    try:
        return files[name]
    except KeyError:
        raise TokenizerError(f"the tokenizer's file {name} is missing") from None


def require_keys(config: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise `TokenizerError` if a stored config has keys beyond `name` and `known`."""
    unknown = sorted(set(map(str, config)) - {"name", *known})
    if unknown:
        raise TokenizerError(f"tokenizer config: unknown keys {', '.join(unknown)}")


def refuse_lowercase(config: TokenizerConfig, name: str) -> None:
    """Raise `TokenizerError` where lower-casing is asked of a tokenizer that has none."""
    if config.lowercase:
        raise TokenizerError(
            f"--lowercase works with the word tokenizer, not with {name}; "
            "lower the text beforehand instead"
        )


class Utf8Decoder:
    """A stream decoder over tokens that are bytes: whole characters only, U+FFFD for wrong bytes.

    The text pushed and flushed, joined, is `b"".join(tokens).decode("utf-8", "replace")`.
    """

    def __init__(self, token_bytes: list[bytes]) -> None:
        self._token_bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token_id: int) -> str:
        """Return the characters that this token completes."""
        return self._decoder.decode(self._token_bytes[token_id])

    def flush(self) -> str:
        """Return U+FFFD for a character that never came whole, else nothing."""
        return self._decoder.decode(b"", final=True)


class ChunkCache(dict[str, tuple[int, ...]]):
    """Chunks of text and their ids: what was met before is looked up, not worked out again."""

    def __init__(self, encode_chunk: Callable[[str], tuple[int, ...]]) -> None:
        super().__init__()
        self._encode_chunk = encode_chunk

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        ids = self._encode_chunk(chunk)
        if len(chunk) <= _MAX_CACHED_CHARS:
            if len(self) >= _MAX_CACHED:
                self.clear()
            self[chunk] = ids
        return ids


def encode_chunks(
    text: str, find: Callable[[str], list[str]], cache: ChunkCache, *, implied: bool = False
) -> Ids:
    """Return the ids of a text by way of the chunks that `find` cuts it into.

    Works through a little at a time, to bound memory; see `charlm.text.pieces`.

    Args:
        implied: whether a blank between two words is no token, and so must not begin a piece.
    """
    found = []
    for piece in cut_pieces([text]):
        for block in blocks(piece):
            chunks = find(block.text[1:] if implied and block.continued else block.text)
            ids = chain.from_iterable(map(cache.__getitem__, chunks))
            found.append(np.fromiter(ids, dtype=np.int32))
    return np.concatenate(found) if found else np.empty(0, dtype=np.int32)
