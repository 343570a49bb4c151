"""The shape of a classifier, as a model folder keeps it."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting
from charlm.base.errors import ConfigError

MOST_LABELS = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierConfig:
    """What a classifier consists of.

    Attributes:
        labels: the names of the labels, in the order of the logits.
        lowercase: whether texts are folded to lower case.
        ngrams: number of n-grams that the linear branch knows; 0 for no such branch.
        order: words in its longest n-gram.
        shortest_chars: characters in its shortest n-gram within words; 0 for none.
        longest_chars: characters in its longest.
    """

    labels: tuple[str, ...]
    lowercase: bool = True
    ngrams: int = setting(0, "n-grams of the linear branch", ge=0)
    order: int = setting(2, "words in its longest n-gram", ge=1, le=10)
    shortest_chars: int = setting(3, "characters in its shortest n-gram", ge=0, le=20)
    longest_chars: int = setting(5, "characters in its longest n-gram", ge=0, le=20)

    def __post_init__(self) -> None:
        check(self)
        problems = []
        if not 2 <= len(self.labels) <= MOST_LABELS:
            problems.append(f"labels must be from 2 to {MOST_LABELS}, got {len(self.labels)}")
        if any(not isinstance(label, str) or not label for label in self.labels):
            problems.append("labels must be texts that are not empty")
        elif len(set(self.labels)) != len(self.labels):
            problems.append("a label comes twice")
        if bool(self.shortest_chars) != bool(self.longest_chars) or (
            self.shortest_chars > self.longest_chars
        ):
            problems.append("shortest_chars must be at most longest_chars, or both 0")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def chars(self) -> tuple[int, int]:
        """Shortest and longest n-grams of characters; (0, 0) for none."""
        return self.shortest_chars, self.longest_chars

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the names and shapes of all arrays."""
        return {
            "bias": (len(self.labels),),
            "ngram_keys": (self.ngrams,),
            "ngram_weights": (self.ngrams, len(self.labels)),
        }
