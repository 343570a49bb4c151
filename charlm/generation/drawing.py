"""How a token is drawn: a stream of uniform numbers a sample, and the inverse of the sums."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.generation.logits import FloatArray, Temperature
from charlm.generation.sampling import SamplingConfig, build_transforms

# Uniform numbers drawn from a stream at once; the stream is the same whatever the block is.
_BLOCK = 256
# Below this temperature a quotient of logits may overflow, which only the transform allows for.
_TINY = 1e-30


class Uniforms:
    """The uniform numbers of one sample: a PCG64 stream of its own, from (seed, sample).

    A sample's stream, and so its text, does not depend on how many samples there are.
    """

    def __init__(self, seed: int | None, sample: int) -> None:
        entropy = None if seed is None else (seed, sample)
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
        self._block: list[float] = []

    def next(self) -> float:
        """Return the next number, 0 <= u < 1."""
        if not self._block:
            self._block = self._generator.random(_BLOCK).tolist()[::-1]
        return self._block.pop()

    def fill(self, room: npt.NDArray[np.float64]) -> None:
        """Write the next numbers to `room` (count,): those that `next` would return one by one."""
        held = min(len(room), len(self._block))
        for place in range(held):
            room[place] = self._block.pop()
        self._generator.random(out=room[held:])


def draw(
    logits: FloatArray, uniform: float, temperature: npt.NDArray[np.float64] | None = None
) -> int:
    """Return the token whose stretch of the cumulative probabilities holds `uniform`.

    Shapes:
        logits: (vocab,); -inf is never drawn.

    Args:
        uniform: 0 <= u < 1.
        temperature: above 0, an array of no axes (NumPy is faster with one than with a number);
            divides the logits first, to the same bits as `scale_temperature`.

    Raises:
        TaskError: if a logit is NaN or infinite, or every token is masked.

    Example:
        >>> [draw(np.log([0.2, 0.5, 0.3]), u) for u in (0.1, 0.5, 0.9)]
        [0, 1, 2]
    """
    # Gumbel noise would need vocab random numbers where this needs one
    top = logits.item(logits.argmax())  # NaN, if there is one
    if not -math.inf < top < math.inf:
        raise bad_logits(logits)
    weights = logits.astype(np.float64)
    np.subtract(weights, top, weights)
    if temperature is not None:
        np.divide(weights, temperature, weights)
    np.exp(weights, weights)
    mass = np.add.accumulate(weights)
    token = bisect_right(mass, uniform * mass.item(-1))
    if token == len(mass) or weights.item(token) == 0.0:
        return _last_possible(weights)
    return token


def argmax(logits: FloatArray) -> int:
    """Return the likeliest token of (vocab,), the lowest id of equals.

    Raises:
        TaskError: if a logit is NaN or infinite, or every token is masked.
    """
    token = int(logits.argmax())
    if not -np.inf < logits.item(token) < np.inf:
        raise bad_logits(logits)
    return token


def _last_possible(weights: npt.NDArray[np.float64]) -> int:
    """Return the last token that can be drawn: uniform times total was rounded up to the total."""
    return int(np.flatnonzero(weights)[-1])


def bad_logits(logits: FloatArray) -> TaskError:
    """Return the error that says what is wrong with logits from which nothing can be drawn."""
    if np.isnan(logits).any() or np.isposinf(logits).any():
        return TaskError("the model gave a probability that is no number; its weights are damaged")
    return TaskError("every token is masked: nothing is left to draw from")


class Sampler:
    """Draws the next token of each row from logits: transforms first, then one draw a row."""

    def __init__(self, config: SamplingConfig, masked_ids: Sequence[int] = ()) -> None:
        self._transforms = build_transforms(config, masked_ids)
        self._masks = 1 if masked_ids else 0
        self._greedy = config.temperature == 0.0
        self._temperature: npt.NDArray[np.float64] | None = None
        unmasked = self._transforms[self._masks :]
        if unmasked == [Temperature(config.temperature)] and config.temperature > _TINY:
            del self._transforms[self._masks :]
            self._temperature = np.array(config.temperature)  # the draw divides: fewer passes
        self._is_plain = not self._transforms and not self._greedy

    def pick(
        self, logits: FloatArray, uniforms: Sequence[Uniforms], recent: Sequence[Sequence[int]]
    ) -> list[int]:
        """Return one token a row.

        Shapes:
            logits: (batch, vocab).

        Args:
            uniforms: each row's numbers; one is used a draw, none when greedy.
            recent: each row's ids in the repetition window.

        Raises:
            TaskError: if logits are no numbers, or every token is masked.
        """
        if self._is_plain and len(logits) == 1:  # what most streams do at every token
            return [draw(logits[0], uniforms[0].next(), self._temperature)]
        for index, transform in enumerate(self._transforms):
            if index == self._masks and not np.isfinite(logits.max(axis=-1)).all():
                raise bad_logits(logits)  # the filters divide by sums of probabilities
            logits = transform(logits, recent)
        if self._greedy:
            return [argmax(row) for row in logits]
        temperature = self._temperature
        rows = zip(logits, uniforms, strict=True)
        return [draw(row, stream.next(), temperature) for row, stream in rows]
