"""From summed negative log-likelihood and counts to the figures that people compare."""

from __future__ import annotations

import dataclasses
import math

LN2 = math.log(2.0)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Likelihood:
    """How well a model predicted a text; parts of a text add up with `+`.

    Args:
        nll_nats: negative log-likelihood summed over tokens, in nats.
        tokens: how many tokens were predicted.
        chars: how many code points they stand for.

    Example:
        >>> half = Likelihood(nll_nats=8 * math.log(2), tokens=8, chars=16)
        >>> round(half.perplexity, 12), half.bits_per_token, half.bits_per_char
        (2.0, 1.0, 0.5)
        >>> (half + half).tokens
        16
    """

    nll_nats: float
    tokens: int
    chars: int

    def __post_init__(self) -> None:
        if self.tokens < 0 or self.chars < 0:
            raise ValueError(f"counts must be 0 or more, got {self.tokens} and {self.chars}")

    def __add__(self, other: Likelihood) -> Likelihood:
        return Likelihood(
            nll_nats=self.nll_nats + other.nll_nats,
            tokens=self.tokens + other.tokens,
            chars=self.chars + other.chars,
        )

    @property
    def log_prob(self) -> float:
        """The text's log-probability, in nats: the chain rule's sum."""
        return 0.0 - self.nll_nats  # an empty text has 0.0, not -0.0

    @property
    def nats_per_token(self) -> float:
        """Mean negative log-likelihood; NaN for no tokens."""
        return self.nll_nats / self.tokens if self.tokens else math.nan

    @property
    def bits_per_token(self) -> float:
        """Mean surprisal of a token, in bits; NaN for no tokens."""
        return self.nats_per_token / LN2

    @property
    def perplexity(self) -> float:
        """exp of nats per token, infinite beyond floats; compare only within one tokenizer."""
        return perplexity(self.nats_per_token)

    @property
    def bits_per_char(self) -> float:
        """Bits per code point, which compare across tokenizers; NaN for no characters."""
        return self.nll_nats / (LN2 * self.chars) if self.chars else math.nan


def perplexity(nats_per_token: float) -> float:
    """Return exp of a mean negative log-likelihood, infinite where that is beyond floats.

    Example:
        >>> perplexity(0.0), perplexity(1e6)
        (1.0, inf)
    """
    try:
        return math.exp(nats_per_token)
    except OverflowError:
        return math.inf


def surprisal(log_prob: float) -> float:
    """Return the bits of surprise, -log2 p, of a natural log-probability.

    Example:
        >>> surprisal(math.log(0.25)), surprisal(0.0), surprisal(-math.inf)
        (2.0, 0.0, inf)
    """
    return 0.0 - log_prob / LN2
