"""Parts of a word as hashed features: what is known of a word never seen."""

from __future__ import annotations

import dataclasses
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from charlm.base.config import check, setting

_LONGEST = 40  # letters of a word that are looked at, from each end


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SubwordConfig:
    """Which parts of a word become features, and how many buckets these share."""

    buckets: int = setting(16_384, "buckets of hashed parts of words", ge=2, le=1 << 24)
    affixes: int = setting(4, "longest prefix and suffix, in letters", ge=0, le=10)
    min_ngram: int = setting(3, "shortest n-gram of letters", ge=1, le=10)
    max_ngram: int = setting(4, "longest n-gram of letters; 0 for none", ge=0, le=10)

    def __post_init__(self) -> None:
        check(self)


def subword_ids(word: str, config: SubwordConfig) -> list[int]:
    """Return the buckets of a word's parts: itself, its shape, prefixes, suffixes, n-grams.

    All but the shape fold case. Every word has at least two parts. Ids are the same everywhere.

    Example:
        >>> len(subword_ids("Apples", SubwordConfig())), subword_ids("", SubwordConfig())
        (21, [2834, 3851])
    """
    return [_bucket(part, config.buckets) for part in _parts(word, config)]


def count_parts(words: Iterable[str], config: SubwordConfig) -> Counter[str]:
    """Return in how many distinct words each part comes that is not a word as a whole."""
    return Counter(part for word in words for part in set(_parts_within(word, config)))


def known_subword_ids(word: str, config: SubwordConfig, known: Mapping[str, int]) -> list[int]:
    """Return the ids of those parts of a word that are known, the whole word not among them.

    Unlike buckets, which a part never seen shares with others, such ids say nothing where nothing
    is known; then there is the one id 0.

    Example:
        >>> known_subword_ids("cats", SubwordConfig(), {"es": 1, "n<ca": 2, "sX": 3})
        [1, 2]
    """
    return [known[part] for part in _parts_within(word, config) if part in known] or [0]


def _bucket(part: str, buckets: int) -> int:
    return zlib.crc32(part.encode("utf-8", "surrogatepass")) % buckets


def _parts(word: str, config: SubwordConfig) -> Iterator[str]:
    """Yield the parts, each after a letter that says of what sort it is."""
    if len(word) > 2 * _LONGEST:
        word = word[:_LONGEST] + word[-_LONGEST:]
    yield "w" + word.lower()
    yield from _parts_within(word, config)


def _parts_within(word: str, config: SubwordConfig) -> Iterator[str]:
    """Yield the parts but the word as a whole."""
    if len(word) > 2 * _LONGEST:
        word = word[:_LONGEST] + word[-_LONGEST:]
    folded = word.lower()
    yield "s" + word_shape(word)
    for length in range(1, min(config.affixes, len(folded)) + 1):
        yield "p" + folded[:length]
        yield "e" + folded[-length:]
    marked = f"<{folded}>"
    for length in range(config.min_ngram, config.max_ngram + 1):
        for start in range(len(marked) - length + 1):
            yield "n" + marked[start : start + length]


def word_shape(word: str) -> str:
    """Return a word with X for capitals, x for small letters, d for digits, runs as one.

    Example:
        >>> [word_shape(word) for word in ("Apples", "iPhone", "F-16s", "café", "红楼")]
        ['Xx', 'xXx', 'X-dx', 'x', 'o']
    """
    shape = ""
    for char in word:
        if char.isdigit():
            kind = "d"
        elif char.isalpha():
            kind = "X" if char.isupper() else "x" if char.islower() else "o"
        else:
            kind = char
        if not shape.endswith(kind):
            shape += kind
    return shape
