"""What is seen of a run while it goes: losses, looks at the validation text, samples."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np

from charlm.base.durations import parse_duration
from charlm.engine.config import LanguageModelConfig
from charlm.metrics.likelihood import Likelihood
from charlm.tasks.train_data import Part
from charlm.tasks.train_events import HeldOut
from charlm.text.tokenizers import Tokenizer
from charlm.training.resume import Arrays

# Shares of a run at which the validation text is looked at, and the most tokens of it.
LOOKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
LOOK_TOKENS = 32_768
# Looks may take this share of the time, beside the one at the end.
MOST_LOOKING = 0.05


@dataclasses.dataclass(slots=True)
class LossWindow:
    """The losses since the last record."""

    total: float = 0.0
    count: int = 0

    def add(self, loss: float, steps: int = 1) -> None:
        """Count one update's loss, or the mean of several."""
        self.total += loss * steps
        self.count += steps

    def take(self) -> float:
        """Return the mean so far and begin anew."""
        mean = self.total / max(1, self.count)
        self.total, self.count = 0.0, 0
        return mean


class Looks:
    """When to look: at fixed shares of the run, or every so often; never for too long in all."""

    def __init__(self, every: str | None) -> None:
        self.every = parse_duration(every) if every else None
        self._next = self.every or 0.0
        self._passed = 0
        self._spent = 0.0

    def due(self, share: float, elapsed: float) -> bool:
        """Return whether it is time, at this share of the run and after so many seconds."""
        if self.every is not None:
            if elapsed < self._next:
                return False
            self._next = elapsed + self.every
            return True
        passed = sum(mark <= share for mark in LOOKS)
        if passed == self._passed:
            return False
        self._passed = passed
        return self._spent <= MOST_LOOKING * elapsed

    def state(self) -> tuple[float, float]:
        """Return what `restore` needs: the time of the next look, and the time spent looking."""
        return self._next, self._spent

    def restore(self, state: tuple[float, float], share: float) -> None:
        """Go on from `state()` at this share of the run: looks before it are over."""
        self._next, self._spent = max(state[0], self._next), state[1]
        self._passed = sum(mark <= share for mark in LOOKS)

    def start(self) -> float:
        """Return the time at which a look begins, for `stop`."""
        return time.monotonic()

    def stop(self, started: float) -> None:
        """Count a look's time."""
        self._spent += time.monotonic() - started


def bits_per_char(nats_per_token: float, part: Part) -> float:
    """Return nats a token as bits a character, by the characters that this text's tokens have."""
    return nats_per_token / math.log(2.0) / max(1e-9, part.chars_per_token)


def score_exactly(
    model: LanguageModelConfig, weights: Arrays, part: Part, device: str = "cpu"
) -> HeldOut:
    """Return the figures of a held-out text, its state carried from beginning to end."""
    if device == "cuda":
        import torch

        from charlm.models.scoring import TorchModel

        scores = TorchModel(model, weights, torch.device(device)).score_ids(part.ids)
        nll, tokens = -float(scores.sum()), len(scores)
    else:
        from charlm.engine.language_model import LanguageModel
        from charlm.engine.scoring import evaluate_ids

        nll, tokens = evaluate_ids(LanguageModel(model, weights), part.ids)
    found = Likelihood(nll_nats=nll, tokens=tokens, chars=part.chars)
    return HeldOut(
        nats_per_token=found.nats_per_token,
        perplexity=found.perplexity,
        bits_per_char=found.bits_per_char,
        tokens=tokens,
        chars=part.chars,
        unknown_rate=part.unknown / max(1, tokens),
    )


def draw_sample(
    model: LanguageModelConfig, weights: Arrays, tokenizer: Tokenizer, seed: int
) -> str:
    """Return a little text that these weights write."""
    from charlm.engine.language_model import LanguageModel
    from charlm.generation.generate import generate
    from charlm.generation.sampling import SamplingConfig

    config: Any = SamplingConfig(max_new_tokens=120, temperature=0.8, seed=seed)
    engine = LanguageModel(model, weights)
    prompt = np.empty(0, dtype=np.int64)
    drawn = generate(engine, prompt, config, masked_ids=tokenizer.hidden_ids)
    return tokenizer.decode([token.id for token in drawn])
