"""The form of an n-gram model, and the names of its arrays."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting
from charlm.base.errors import ConfigError

MAX_ORDER = 10
MAX_KEYS = 2**62


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class NgramConfig:
    """What stands in `config.json` of an n-gram model.

    `vocab_size` is also the id of the mark that begins a text, which is never predicted.
    """

    order: int = setting(5, "most tokens an n-gram has", ge=1, le=MAX_ORDER)
    vocab_size: int = setting(2, "tokens that can be predicted", ge=1, le=10_000_000)
    ngrams: tuple[int, ...] = setting((), "how many n-grams there are of each order")
    line_end_id: int | None = setting(
        None, "token after which a text begins anew; none for one long text", ge=0
    )

    def __post_init__(self) -> None:
        check(self)
        if not all(type(count) is int and count >= 0 for count in self.ngrams):
            raise ConfigError(f"ngrams must be whole numbers, got {self.ngrams!r}")
        if len(self.ngrams) != self.order or self.ngrams[0] != self.vocab_size:
            raise ConfigError(
                f"ngrams must be {self.order} counts, the first {self.vocab_size}, "
                f"got {self.ngrams!r}"
            )
        if max(self.ngrams) * (self.vocab_size + 1) >= MAX_KEYS:
            raise ConfigError(f"ngrams are too many, got {self.ngrams!r}")
        if self.line_end_id is not None and self.line_end_id >= self.vocab_size:
            raise ConfigError(
                f"line_end_id must be less than {self.vocab_size}, got {self.line_end_id}"
            )

    @property
    def bos_id(self) -> int:
        """The id that stands for the beginning of a text."""
        return self.vocab_size

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each array by name; see `ngram.model`."""
        shapes: dict[str, tuple[int, ...]] = {"log_prob.1": (self.vocab_size,)}
        if self.order > 1:
            shapes["backoff.1"] = (self.vocab_size + 1,)
        for length in range(2, self.order + 1):
            count = self.ngrams[length - 1]
            shapes[f"keys.{length}"] = shapes[f"log_prob.{length}"] = (count,)
            if length < self.order:
                shapes[f"backoff.{length}"] = (count,)
        return shapes


def describe(config: NgramConfig) -> str:
    """Return the form of a model in a few words.

    Example:
        >>> describe(NgramConfig(order=2, vocab_size=5, ngrams=(5, 1200)))
        '2-gram, 1,205 n-grams'
    """
    return f"{config.order}-gram, {sum(config.ngrams):,} n-grams"
