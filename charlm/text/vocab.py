"""Tokens and their ids, with counts: one JSON document that holds any token exactly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring
from typing import Any, Self

from charlm.base.errors import TokenizerError

MAX_ENTRIES = 10_000_000
MAX_TOKEN_CHARS = 4_096
MAX_FILE_BYTES = 1 << 30
_MAX_COUNT = 2**63 - 1
_FORMAT = 1
_TRUSTED_BYTES = 2 << 20
# What `to_bytes` writes. Arbitrary JSON can take 25 times its size in memory, this only a few.
_FORM = re.compile(
    rb'\{"format": \d++, "specials": \d++, "tokens": \[\n'
    rb'(?:"(?:[^"\\\n]++|\\.)*+",?+\n)*+\],\n"counts": \[[\d, ]*+\]\}\s*+'
)
_KEYS = {"format", "specials", "tokens", "counts"}


class Vocab:
    """Tokens by id and ids by token; the first `num_specials` are not taken from text.

    Raises:
        TokenizerError: if a token is empty, too long or there twice, or there are too many.

    Example:
        >>> vocab = Vocab.build({"a": 2, "b": 5, "c": 2}, specials=("<unk>",))
        >>> vocab.tokens
        ('<unk>', 'b', 'a', 'c')
        >>> vocab.id("c"), vocab.id("z")
        (3, None)
    """

    __slots__ = ("counts", "ids", "num_specials", "tokens")

    def __init__(
        self, tokens: Iterable[str], counts: Iterable[int] | None = None, num_specials: int = 0
    ) -> None:
        self.tokens = tuple(tokens)
        self.counts = (0,) * len(self.tokens) if counts is None else tuple(counts)
        self.num_specials = num_specials
        self.ids = {token: index for index, token in enumerate(self.tokens)}
        self._check()

    @classmethod
    def build(
        cls,
        counts: Mapping[str, int],
        *,
        max_size: int | None = None,
        min_count: int = 1,
        specials: Iterable[str] = (),
    ) -> Self:
        """Return the vocabulary of the most frequent tokens, ties in order of code points.

        A token longer than 4,096 characters is no word, and left out.

        Args:
            counts: how often each token was seen; what it says of a special is kept as its count.
            max_size: most entries in all, specials included; None for no limit.
            min_count: tokens seen less often are left out.
            specials: tokens that always stand first, whatever their count.
        """
        first = tuple(specials)
        named = set(first)
        kept = [
            (-count, token)
            for token, count in counts.items()
            if count >= min_count and token not in named and len(token) <= MAX_TOKEN_CHARS
        ]
        kept.sort()
        if max_size is not None:
            kept = kept[: max(0, max_size - len(first))]
        tokens = first + tuple(token for _, token in kept)
        seen = [counts.get(token, 0) for token in first] + [-count for count, _ in kept]
        return cls(tokens, seen, len(first))

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocab):
            return NotImplemented
        mine = (self.tokens, self.counts, self.num_specials)
        return mine == (other.tokens, other.counts, other.num_specials)

    def __hash__(self) -> int:
        return hash((self.tokens, self.num_specials))

    def __repr__(self) -> str:
        return f"Vocab({len(self)} tokens, {self.num_specials} special)"

    def id(self, token: str) -> int | None:
        """Return the id of a token, or None where the vocabulary lacks it."""
        return self.ids.get(token)

    def to_bytes(self) -> bytes:
        """Return the vocabulary as a file: JSON, a token a line."""
        tokens = ",\n".join(map(encode_basestring, self.tokens))
        document = (
            f'{{"format": {_FORMAT}, "specials": {self.num_specials}, "tokens": [\n{tokens}\n],\n'
            f'"counts": {json.dumps(self.counts)}}}\n'
        )
        # surrogatepass: a token may be one lone surrogate, and comes back as it was
        return document.encode("utf-8", "surrogatepass")

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str = "vocab.json") -> Self:
        """Return the vocabulary that `to_bytes` wrote; checks everything.

        Raises:
            TokenizerError: if the bytes are no such file.
        """
        if len(data) > MAX_FILE_BYTES:
            raise TokenizerError(f"{where}: {len(data):,} bytes, more than {MAX_FILE_BYTES:,}")
        document = _parse(data, where)
        tokens, counts, specials = document["tokens"], document["counts"], document["specials"]
        if not isinstance(tokens, list) or not all(type(token) is str for token in tokens):
            raise TokenizerError(f"{where}: 'tokens' must be a list of texts")
        if not isinstance(counts, list) or not all(type(count) is int for count in counts):
            raise TokenizerError(f"{where}: 'counts' must be a list of whole numbers")
        if type(specials) is not int:
            raise TokenizerError(f"{where}: 'specials' must be a whole number")
        try:
            return cls(tokens, counts, specials)
        except TokenizerError as error:
            raise TokenizerError(f"{where}: {error}") from error

    def _check(self) -> None:
        if len(self.tokens) > MAX_ENTRIES:
            raise TokenizerError(f"{len(self.tokens):,} tokens, more than {MAX_ENTRIES:,}")
        if len(self.ids) != len(self.tokens):
            twice = next(t for i, t in enumerate(self.tokens) if self.ids[t] != i)
            raise TokenizerError(f"the token {twice!r} is there twice")
        if "" in self.ids:
            raise TokenizerError(f"token {self.ids['']} is empty")
        if self.tokens and max(map(len, self.tokens)) > MAX_TOKEN_CHARS:
            raise TokenizerError(f"a token is longer than {MAX_TOKEN_CHARS:,} characters")
        if len(self.counts) != len(self.tokens):
            raise TokenizerError(f"{len(self.counts)} counts for {len(self.tokens)} tokens")
        if self.counts and not 0 <= min(self.counts) <= max(self.counts) <= _MAX_COUNT:
            raise TokenizerError("a count is below 0 or above 2^63")
        if not 0 <= self.num_specials <= len(self.tokens):
            raise TokenizerError(f"{self.num_specials} specials of {len(self.tokens)} tokens")


def _parse(data: bytes, where: str) -> dict[str, Any]:
    if len(data) > _TRUSTED_BYTES and not _FORM.fullmatch(data):
        raise TokenizerError(f"{where}: not in the form that charlm writes, a token a line")
    try:
        document = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{where}: no valid JSON ({error})") from error
    if not isinstance(document, dict) or set(document) != _KEYS:
        raise TokenizerError(f"{where}: expected an object with {', '.join(sorted(_KEYS))}")
    if document["format"] != _FORMAT:
        raise TokenizerError(
            f"{where}: format {document['format']!r}; this version reads format {_FORMAT}"
        )
    return document
