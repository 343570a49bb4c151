"""What a user may say about word vectors. Standard library only, so that `--help` is fast."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, field_of, setting
from charlm.base.errors import ConfigError
from charlm.base.registry import did_you_mean
from charlm.training.config import TrainConfig

METHODS = ("sgns", "cbow", "glove", "pmi-svd")
MOST_WORDS = 1_000_000
LEARNING_RATES = {"sgns": 0.025, "cbow": 0.05, "glove": 0.05, "pmi-svd": 0.0}
TOKENIZERS = ("word", "whitespace", "bpe", "unigram")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class VectorsTrainConfig:
    """Settings of `charlm train vectors`; the field names are the option names with `_` for `-`."""

    method: str = setting("sgns", "how to learn vectors", choices=METHODS)
    dim: int = setting(100, "numbers in a vector", ge=1, le=4_096)
    window: int | None = setting(
        None,
        "most words from a word to those that count as near; default 5, for glove 10",
        ge=1,
        le=100,
    )
    num_negatives: int = setting(5, "words drawn against each true one", ge=1, le=60)
    subsample: float = setting(
        1e-3,
        "share of the text above which a word is left out now and then; 0 for none",
        ge=0,
        le=1,
    )
    min_count: int = setting(5, "leave out words seen less often", ge=1)
    epochs: int | None = setting(
        None, "passes over the text; default 5, for glove 15", ge=1, le=10_000
    )
    learning_rate: float | None = setting(
        None, "rate at the beginning; default 0.025, for cbow and glove 0.05", gt=0, le=10
    )
    ns_exponent: float = setting(0.75, "power of a word's count that it is drawn with", ge=-2, le=2)
    sum_contexts: bool = setting(False, "save w + c, the sum of a word's two vectors")
    phrases: int = setting(0, "passes that join words often seen together, as new_york", ge=0, le=5)
    tokenizer: str = setting("word", f"{', '.join(TOKENIZERS)}, or a sentencepiece .model file")
    vocab_size: int | None = setting(None, "most words", ge=2, le=MOST_WORDS)
    lowercase: bool = setting(True, "fold the text to lower case first (word tokenizer)")
    threads: int | None = setting(None, "CPU threads; 1 can be reproduced exactly", ge=1, le=1024)
    device: str = setting(
        "auto",
        "where to compute; auto: a GPU if there is one, unless --threads is given",
        choices=("auto", "cpu", "cuda"),
    )
    seed: int = setting(0, "seed of the first vectors and of all that is drawn", ge=0, le=2**63 - 1)
    encoding_errors: str = field_of(TrainConfig, "encoding_errors")

    def __post_init__(self) -> None:
        check(self)
        if self.tokenizer not in TOKENIZERS and not self.tokenizer.endswith(".model"):
            near = did_you_mean(self.tokenizer, TOKENIZERS)
            raise ConfigError(
                f"tokenizer must be one of {', '.join(TOKENIZERS)} or a .model file{near}, "
                f"got {self.tokenizer!r}"
            )

    @property
    def reach(self) -> int:
        """The window, given or what suits the method."""
        return self.window or (10 if self.method == "glove" else 5)

    @property
    def passes(self) -> int:
        """The epochs, given or what suits the method."""
        return self.epochs or (15 if self.method == "glove" else 5)

    @property
    def rate(self) -> float:
        """The learning rate that a run begins with."""
        given = self.learning_rate
        return LEARNING_RATES[self.method] if given is None else given
