"""What a user may say about contextual vectors. Standard library only: `--help` reads it."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting
from charlm.base.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class EmbedConfig:
    """Which states of a model make up a token's vector."""

    layer: str = setting("mix", "a layer by number from 1, all of them apart, or mix")
    direction: str = setting(
        "both",
        "forward, backward, or one after the other",
        choices=("both", "forward", "backward"),
    )
    mix_weights: str | None = setting(
        None, "a score for each layer, commas between; mix takes their softmax (default: evenly)"
    )
    mix_scale: float = setting(1.0, "what the mix is multiplied by", gt=0.0, le=1e6)

    def __post_init__(self) -> None:
        check(self)
        if self.layer not in ("mix", "all") and not (
            self.layer.isascii() and self.layer.isdigit() and 1 <= int(self.layer[:4]) <= 64
        ):
            raise ConfigError(f"layer must be mix, all or a number from 1, got {self.layer[:40]!r}")
        if self.layer != "mix" and (self.mix_weights is not None or self.mix_scale != 1.0):
            raise ConfigError("--mix-weights and --mix-scale are for --layer mix")
        self.scores()

    def scores(self) -> tuple[float, ...]:
        """Return the scores of the layers; none where they count evenly."""
        if self.mix_weights is None:
            return ()
        try:
            found = tuple(float(text) for text in self.mix_weights.split(","))
        except ValueError:
            found = (float("nan"),)
        if not all(abs(score) < 1e6 for score in found):
            raise ConfigError(
                f"mix_weights must be numbers with commas between, got {self.mix_weights[:60]!r}"
            )
        return found
