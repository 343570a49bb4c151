"""What a user may say about a classifier. Standard library only, so that `--help` is fast."""

from __future__ import annotations

import dataclasses
from typing import Any

from charlm.base.config import check, setting
from charlm.base.errors import ConfigError
from charlm.training.config import TrainConfig

_OF_LM = {field.name: field for field in dataclasses.fields(TrainConfig)}


def _as_of_lm(name: str) -> Any:
    """Return the field of that name as `charlm train lm` has it."""
    return dataclasses.field(default=_OF_LM[name].default, metadata=_OF_LM[name].metadata)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LabelledConfig:
    """How labelled files are read; options of training and of evaluation."""

    format: str = setting(
        "auto",
        "form of the files; auto: by name (.csv, .tsv), else by the first lines",
        choices=("auto", "csv", "tsv", "fasttext", "space"),
    )
    label_column: str = setting(
        "", "name or number of the label's column (csv, tsv); default: label, class …, or 1"
    )
    text_column: tuple[str, ...] = setting(
        (), "name or number of a column of the text; default: text, title …, or all others"
    )
    encoding_errors: str = _as_of_lm("encoding_errors")

    def __post_init__(self) -> None:
        check(self)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierTrainConfig(LabelledConfig):
    """Settings of `charlm train classifier`; field names are the option names with `_` for `-`."""

    valid: str | None = setting(None, "a labelled file to choose and judge by")
    valid_fraction: float = setting(
        0.1, "share of each label's texts held out where there is no --valid", ge=0, lt=1
    )
    test: str | None = setting(None, "a labelled file to judge by at the end")
    lowercase: bool = setting(True, "fold the text to lower case first")
    ngrams: int = setting(
        2, "words in the longest n-gram of the linear branch; 0 for none", ge=0, le=10
    )
    char_ngrams: int = setting(
        5, "characters in its longest n-gram within words; 0 for none, else at least 3", ge=0, le=20
    )
    min_count: int = setting(1, "leave out n-grams seen less often", ge=1)
    penalty: float = setting(1e-3, "how small the weights of n-grams are held", gt=0, le=10)
    seed: int = setting(0, "seed of all that is drawn", ge=0, le=2**63 - 1)

    def __post_init__(self) -> None:
        check(self)
        if 0 < self.char_ngrams < 3:
            raise ConfigError(f"char_ngrams must be 0 or at least 3, got {self.char_ngrams}")
