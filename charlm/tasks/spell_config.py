"""What a user may say of corrections. Standard library only, so that `--help` is fast."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SpellConfig:
    """Settings of `charlm spell`; the field names are the option names with `_` for `-`."""

    confidence: float = setting(
        0.5, "how sure a change must be: higher changes less, lower more", gt=0, lt=1
    )
    max_changes: int | None = setting(None, "most changes a line, the surest first", ge=0)
    candidates: int = setting(5, "candidates that --json and --explain list", ge=1, le=50)

    def __post_init__(self) -> None:
        check(self)
