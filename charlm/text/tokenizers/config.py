"""What a user may say about a tokenizer that is to be trained."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerConfig:
    """Settings of training a tokenizer; None means the tokenizer's own default."""

    vocab_size: int | None = setting(None, "most tokens in the vocabulary", ge=2, le=1_000_000)
    min_count: int | None = setting(None, "leave out tokens seen less often", ge=1)
    lowercase: bool = setting(False, "fold the text to lower case first (word tokenizer)")
    model_file: str | None = setting(None, "sentencepiece .model file to use as it is")

    def __post_init__(self) -> None:
        check(self)
