"""What a user may say about sampling, and the one order of the transforms.

No NumPy at the top: `--help` lists these settings too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from charlm.base.config import check, setting
from charlm.base.errors import ConfigError

if TYPE_CHECKING:
    from charlm.generation.logits import LogitTransform


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SamplingConfig:
    """Settings of `charlm sample`; the field names are the option names with `_` for `-`.

    The order of the transforms is fixed: masks and penalties, temperature, top_k, top_p, min_p,
    then the draw. Temperature 0 is the exact argmax and draws nothing. The temperature of 0.8
    favours what small models are sure of: at 1 they show all their mistakes, far below they
    repeat themselves.
    """

    max_new_tokens: int = setting(200, "most tokens to generate", ge=0)
    temperature: float = setting(0.8, "0 takes the likeliest; higher is more varied", ge=0.0)
    top_k: int = setting(0, "draw from the k likeliest tokens; 0 for all", ge=0)
    top_p: float = setting(1.0, "draw from the likeliest tokens of this mass", gt=0.0, le=1.0)
    min_p: float = setting(
        0.0, "leave out tokens less likely than this share of the likeliest", ge=0.0, le=1.0
    )
    repetition_penalty: float = setting(
        1.0, "above 1 discourages tokens seen in the repetition window", gt=0.0
    )
    repetition_window: int = setting(64, "tokens that the repetition penalty looks back", ge=0)
    stop: tuple[str, ...] = setting((), "stop before this text appears")
    seed: int | None = setting(None, "seed of the draws; the same seed gives the same text", ge=0)
    num_samples: int = setting(1, "samples to generate side by side", ge=1, le=65_536)
    beam_size: int = setting(0, "search for the likeliest text with so many beams; 0 draws", ge=0)
    length_penalty: float = setting(
        1.0, "beam search: divide log-probabilities by length to this power", ge=0.0
    )

    def __post_init__(self) -> None:
        check(self)
        if not all(isinstance(text, str) and text for text in self.stop):
            raise ConfigError(f"stop must be texts that are not empty, got {self.stop!r}")
        if 0 < self.beam_size < self.num_samples:
            raise ConfigError(
                f"num_samples must be at most the beam size of {self.beam_size}, "
                f"got {self.num_samples}"
            )


def build_transforms(
    config: SamplingConfig, masked_ids: Sequence[int] = ()
) -> list[LogitTransform]:
    """Return the transforms that change anything, in the fixed order."""
    from charlm.generation.logits import MaskIds, MinP, RepetitionPenalty, Temperature, TopK, TopP

    transforms: list[LogitTransform] = []
    if masked_ids:
        transforms.append(MaskIds(tuple(masked_ids)))
    if config.repetition_penalty != 1.0 and config.repetition_window:
        transforms.append(RepetitionPenalty(config.repetition_penalty))
    if config.temperature == 0.0:
        return transforms
    if config.temperature != 1.0:
        transforms.append(Temperature(config.temperature))
    if config.top_k:
        transforms.append(TopK(config.top_k))
    if config.top_p < 1.0:
        transforms.append(TopP(config.top_p))
    if config.min_p > 0.0:
        transforms.append(MinP(config.min_p))
    return transforms
