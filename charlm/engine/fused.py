"""One row through a model of one layer, with a single product a step.

The next step's gates and this step's logits both read the hidden state, so their weights are
stacked: what the next step needs is then ready before its id is known.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from charlm.engine.embedding import IdInputs
from charlm.engine.layers import Layer, by_columns
from charlm.engine.stack import StackState

Float32 = npt.NDArray[np.float32]


class FusedStep:
    """Steps one row; keeps `weight_hh · h` of the present state in `StackState.ahead`."""

    def __init__(self, layer: Layer, inputs: IdInputs, output: Float32, bias: Float32) -> None:
        """Stack the weights.

        Args:
            layer: the only layer; has `finish`.
            inputs: what each id gives to the gates.
            output: (vocab, hidden), for the layer's state as it is kept. bias: (vocab,).
        """
        self._layer = layer
        self._row = inputs.row
        self._bias = bias
        self._gates, self._vocab_size = len(layer.weight_hh), len(output)
        lines = np.zeros((-(self._gates + self._vocab_size) % 16, output.shape[1]), np.float32)
        self._weight = by_columns(np.concatenate([layer.weight_hh, output, lines]))

    def step(self, token_id: int, state: StackState) -> Float32:
        """Read one id; return the logits (vocab,) of the next, a new array."""
        hidden = state.top
        product, gates, logits = state.ahead or self._look_ahead(state)
        self._layer.finish(state.layers[0], gates, self._row(token_id))
        np.dot(self._weight, hidden, product)
        return np.add(logits, self._bias)

    def _look_ahead(self, state: StackState) -> tuple[Float32, Float32, Float32]:
        product: Float32 = np.dot(self._weight, state.top)
        after = self._gates + self._vocab_size
        state.ahead = product, product[: self._gates], product[self._gates : after]
        return state.ahead
