"""What a user may say about an n-gram model. Standard library only, so that `--help` is fast."""

from __future__ import annotations

import dataclasses
from typing import Any

from charlm.base.config import check, setting
from charlm.base.errors import ConfigError
from charlm.ngram.config import MAX_ORDER
from charlm.training.config import TrainConfig

_OF_LM = {field.name: field for field in dataclasses.fields(TrainConfig)}


def _as_of_lm(name: str) -> Any:
    """Return the field of that name as `charlm train lm` has it."""
    return dataclasses.field(default=_OF_LM[name].default, metadata=_OF_LM[name].metadata)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class NgramTrainConfig:
    """Settings of `charlm train ngram`; the field names are the option names with `_` for `-`."""

    order: int = setting(5, "most tokens an n-gram has", ge=1, le=MAX_ORDER)
    tokenizer: str = _as_of_lm("tokenizer")
    vocab_size: int | None = _as_of_lm("vocab_size")
    min_count: int | None = _as_of_lm("min_count")
    lowercase: bool = _as_of_lm("lowercase")
    valid: str | None = _as_of_lm("valid")
    valid_fraction: float | None = _as_of_lm("valid_fraction")
    test: str | None = _as_of_lm("test")
    encoding_errors: str = _as_of_lm("encoding_errors")

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
