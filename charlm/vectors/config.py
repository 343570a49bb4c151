"""The form of a set of word vectors, as it stands in `config.json`."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting

METHODS = ("sgns", "cbow", "glove", "pmi-svd")
MAX_DIM = 4_096


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class VectorsConfig:
    """How many words there are, how long a vector is, and where the vectors come from."""

    words: int = setting(1, "words that have a vector", ge=1, le=100_000_000)
    dim: int = setting(100, "numbers in a vector", ge=1, le=MAX_DIM)
    method: str = setting("sgns", "how they were made", choices=(*METHODS, "file"))
    lowercase: bool = setting(False, "whether the text was folded to lower case")

    def __post_init__(self) -> None:
        check(self)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of each array."""
        return {"vectors": (self.words, self.dim), "counts": (self.words,)}


def describe(config: VectorsConfig) -> str:
    """Return the form of word vectors in a few words.

    Example:
        >>> describe(VectorsConfig(words=71_290, dim=100))
        '71,290 words x 100, sgns'
    """
    return f"{config.words:,} words x {config.dim}, {config.method}"
