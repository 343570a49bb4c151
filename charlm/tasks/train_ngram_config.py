"""What a user may say about an n-gram model. Standard library only, so that `--help` is fast."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, field_of, setting
from charlm.base.errors import ConfigError
from charlm.ngram.config import MAX_ORDER
from charlm.training.config import TrainConfig


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class NgramTrainConfig:
    """Settings of `charlm train ngram`; the field names are the option names with `_` for `-`."""

    order: int = setting(5, "most tokens an n-gram has", ge=1, le=MAX_ORDER)
    tokenizer: str = field_of(TrainConfig, "tokenizer")
    vocab_size: int | None = field_of(TrainConfig, "vocab_size")
    min_count: int | None = field_of(TrainConfig, "min_count")
    lowercase: bool = field_of(TrainConfig, "lowercase")
    valid: str | None = field_of(TrainConfig, "valid")
    valid_fraction: float | None = field_of(TrainConfig, "valid_fraction")
    test: str | None = field_of(TrainConfig, "test")
    encoding_errors: str = field_of(TrainConfig, "encoding_errors")

    def __post_init__(self) -> None:
        check(self)

    def text_settings(self) -> TrainConfig:
        """Return what is said about the text, as the training of other models takes it."""
        values = dataclasses.asdict(self)
        del values["order"]
        return TrainConfig(**values)

    def require_evaluation_only(self, what: str) -> None:
        """Raise `ConfigError` if there are settings that a finished model has no use for."""
        default = NgramTrainConfig()
        names = ("order", "tokenizer", "vocab_size", "min_count", "lowercase", "valid_fraction")
        given = [name for name in names if getattr(self, name) != getattr(default, name)]
        if given:
            options = ", ".join("--" + name.replace("_", "-") for name in given)
            raise ConfigError(f"{what} is a finished model; leave out {options}")
