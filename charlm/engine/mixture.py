"""Several models of the same tokens as one: p = Σ w_k p_k, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from charlm.engine.language_model import log_softmax

FloatArray = npt.NDArray[np.floating[Any]]
IdArray = npt.NDArray[np.integer[Any]]
Float64 = npt.NDArray[np.float64]


class Component(Protocol):
    """What a mixture asks of its models: `generation.protocol.CausalModel`, log-probabilities."""

    vocab_size: int
    bos_id: int

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before anything was read."""

    def step(self, ids: IdArray, state: Any) -> tuple[FloatArray, Any]:
        """Read one id a row: logits of the next token, new state."""

    def log_probs(self, ids: IdArray, state: Any) -> tuple[FloatArray, Any]:
        """Read many ids a row: log p after each of them, new state."""

    def select(self, state: Any, rows: IdArray) -> Any:
        """Return the state whose row i is row `rows[i]`."""


class Mixture:
    """Linear interpolation of models; offers `generation.protocol.CausalModel`.

    A state is the list of the models' states.

    Source:
        Jelinek and Mercer (1980), Interpolated estimation of Markov source parameters.
    """

    def __init__(self, models: Sequence[Any], weights: Sequence[float]) -> None:
        """Take models as they are.

        Args:
            models: two or more, of one vocabulary.
            weights: positive, one a model; they are scaled to sum to 1.

        Raises:
            ValueError: if the weights are no such numbers, or the vocabularies differ in size.
        """
        self.models: tuple[Component, ...] = tuple(models)
        self.weights = scale_weights(weights, len(self.models))
        self.vocab_size = self.models[0].vocab_size
        self.bos_id = self.models[0].bos_id
        if any(model.vocab_size != self.vocab_size for model in self.models):
            sizes = ", ".join(str(model.vocab_size) for model in self.models)
            raise ValueError(f"models of a mixture need one vocabulary, got sizes {sizes}")

    def initial_state(self, batch_size: int) -> list[Any]:
        """Return the states before anything was read."""
        return [model.initial_state(batch_size) for model in self.models]

    def select(self, state: list[Any], rows: IdArray) -> list[Any]:
        """Return the state whose row i is row `rows[i]` of `state`."""
        return [model.select(own, rows) for model, own in zip(self.models, state, strict=True)]

    def step(self, ids: IdArray, state: list[Any]) -> tuple[FloatArray, list[Any]]:
        """Read one id a row: log p of the next token (batch, vocab), and the new state."""
        found = [model.step(ids, own) for model, own in zip(self.models, state, strict=True)]
        mixed = mix([log_softmax(logits) for logits, _ in found], self.weights)
        return mixed, [after for _, after in found]

    def read(self, ids: IdArray, state: list[Any]) -> tuple[FloatArray, list[Any]]:
        """Read ids (batch, time): log p after each (batch, time, vocab), and the new state."""
        found = [model.log_probs(ids, own) for model, own in zip(self.models, state, strict=True)]
        mixed = mix([log_probs for log_probs, _ in found], self.weights)
        return mixed, [after for _, after in found]

    def log_probs(self, ids: IdArray, state: list[Any]) -> tuple[FloatArray, list[Any]]:
        """Return what `read` does: its results are normalised already."""
        return self.read(ids, state)


def scale_weights(weights: Sequence[float], count: int) -> tuple[float, ...]:
    """Return weights that sum to 1.

    Raises:
        ValueError: if there are not `count` of them, or one is not a positive number.

    Example:
        >>> scale_weights([3, 1], 2)
        (0.75, 0.25)
    """
    if len(weights) != count:
        raise ValueError(f"{count} models need {count} weights, got {len(weights)}")
    if not all(0.0 < weight < float("inf") for weight in weights):
        found = ", ".join(f"{weight:g}" for weight in weights)
        raise ValueError(f"weights of a mixture must be more than 0, got {found}")
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def mix(log_probs: Sequence[FloatArray], weights: Sequence[float]) -> Any:
    """Return log Σ w_k p_k from arrays of log p_k of one shape.

    Example:
        >>> halves = mix([np.log([0.5]), np.log([0.1])], [0.5, 0.5])
        >>> float(np.exp(halves[0]).round(6))
        0.3
    """
    mixed = log_probs[0] + np.log(np.array(weights[0], dtype=log_probs[0].dtype))
    for part, weight in zip(log_probs[1:], weights[1:], strict=True):
        mixed = np.logaddexp(mixed, part + np.log(np.array(weight, dtype=part.dtype)))
    return mixed


def fit_weights(
    log_probs: Sequence[Float64], *, rounds: int = 200, tolerance: float = 1e-9
) -> tuple[float, ...]:
    """Return the weights under which the tokens of a text are likeliest, by expectation
    maximisation.

    Args:
        log_probs: of each model, log p of every token, (time,).
        rounds: most rounds; each can only raise the likelihood.
        tolerance: a round that changes no weight by more is the last.

    Raises:
        ValueError: if there is no token.

    Source:
        Dempster, Laird and Rubin (1977).
    """
    table = np.stack([np.asarray(part, dtype=np.float64) for part in log_probs])  # (models, time)
    if not table.shape[1]:
        raise ValueError("there is no token to fit weights on")
    table = np.exp(table - table.max(axis=0))
    weights = np.full(len(table), 1.0 / len(table))
    for _ in range(rounds):
        shares = weights[:, None] * table
        new = (shares / shares.sum(axis=0)).mean(axis=1)
        done = float(np.abs(new - weights).max()) < tolerance
        weights = new
        if done:
            break
    # A model of no use keeps a trace: a weight of 0 would be no mixture.
    return scale_weights(np.maximum(weights, 1e-6).tolist(), len(weights))
