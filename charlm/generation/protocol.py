"""What generation and scoring ask of a causal model; the engine and the CUDA decoder offer it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
IdArray = npt.NDArray[np.integer[Any]]


class CausalModel(Protocol):
    """A model of p(token | all before it) with a state that is carried between calls.

    A state is opaque to callers: it is made by `initial_state`, changed only by being passed
    through `step` or `read`, and reordered by `select`.
    """

    @property
    def vocab_size(self) -> int:
        """How many tokens there are to predict."""

    @property
    def bos_id(self) -> int:
        """The input id that stands for the beginning of a text."""

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before anything was read."""

    def step(self, ids: IdArray, state: Any) -> tuple[FloatArray, Any]:
        """Read one id a row: (batch,) -> logits of the next token (batch, vocab), new state."""

    def read(self, ids: IdArray, state: Any) -> tuple[FloatArray, Any]:
        """Read ids (batch, time) -> logits (batch, time, vocab) after each of them, new state."""

    def select(self, state: Any, rows: IdArray) -> Any:
        """Return the state whose row i is row `rows[i]` of `state` (copies, reorders, repeats)."""
