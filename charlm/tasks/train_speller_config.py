"""What a user may say about a speller. Standard library only, so that `--help` is fast."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting
from charlm.base.errors import ConfigError
from charlm.text.decoding import ENCODING_ERRORS


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SpellerTrainConfig:
    """Settings of `charlm train speller`; field names are option names with `_` for `-`."""

    order: int = setting(5, "most words an n-gram has", ge=2, le=7)
    min_count: int | None = setting(
        None, "how often a word must come to be known (default: 1, of a long text 2)", ge=1
    )
    vocab_size: int = setting(300_000, "most words that are known", ge=100, le=2_000_000)
    max_time: str | None = setting(
        None,
        "time for the networks that decide close calls: 90s, 10m, none (default: one pass over "
        "the text, at most 20m; none where it has fewer than 2 million words)",
    )
    pair: str | None = setting(
        None,
        "a pair of language models of words that decides close calls, in place of networks of its "
        "own: train lm TEXT --tokenizer word --bidirectional makes one",
    )
    errors: str | None = setting(
        None, "a list of misspellings to learn from: a line is a word TAB its misspelling"
    )
    false_changes: float = setting(
        0.002, "share of the words of clean text that may be changed", gt=0, lt=1
    )
    encoding_errors: str = setting(
        "strict", "what to do with invalid UTF-8", choices=tuple(ENCODING_ERRORS)
    )

    def __post_init__(self) -> None:
        check(self)
        if self.pair is not None and self.max_time is not None:
            raise ConfigError("max_time is for networks of its own: leave it out beside --pair")
