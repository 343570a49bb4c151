"""Layers above one another: what they carry from step to step, and how they are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from charlm.engine.config import LanguageModelConfig
from charlm.engine.layers import LAYERS, Float32, Layer, LayerState


class StackState:
    """The state of all layers for `batch_size` rows.

    The hidden states of all layers lie side by side in `hidden` (..., layers · hidden): a layer
    and the one below are then one vector, and with skip connections the output reads the whole.

    Attributes:
        moves: what one step does, layer by layer: the layer's `advance` and its arguments, what
            of the layer below is still to be multiplied, and what gives the rest by the ids.
    """

    def __init__(self, layers: list[Layer], batch_size: int, inputs: Sequence[Any]) -> None:
        """Make the zero state of `batch_size` rows; `inputs` maps ids to rows, one a layer."""
        self.batch_size = batch_size
        lead = () if batch_size == 1 else (batch_size,)
        size = layers[0].hidden_size
        self.hidden: Float32 = np.zeros((*lead, len(layers) * size), dtype=np.float32)
        self.layers: list[LayerState] = []
        self.moves: list[tuple[Any, ...]] = []
        for index, (layer, given) in enumerate(zip(layers, inputs, strict=True)):
            h = self.hidden[..., index * size : (index + 1) * size]
            own = layer.new_state(lead, h)
            self.layers.append(own)
            if layer.weight_both is not None:
                both = self.hidden[..., (index - 1) * size : (index + 1) * size]
                self.moves.append((layer.advance, own, both, layer.weight_both, None, given))
            else:
                below = None
                if layer.weight_below is not None:
                    below = (layer.weight_below, self.layers[index - 1].h)
                self.moves.append((layer.advance, own, h, layer.weight_hh, below, given))
        self.top = self.layers[-1].h
        self.ahead: tuple[Float32, Float32, Float32] | None = None  # see `fused`

    def to_array(self) -> Float32:
        """Return all that the state carries as one copy, (batch, numbers a row)."""
        parts = [
            memory.reshape(self.batch_size, -1)
            for layer in self.layers
            for memory in layer.memories()
        ]
        return np.concatenate(parts, axis=1)

    def load_array(self, values: Float32) -> None:
        """Take over what `to_array` gave, row by row."""
        self.ahead = None
        start = 0
        for layer in self.layers:
            for memory in layer.memories():
                width = memory.shape[-1]
                memory[...] = values[:, start : start + width].reshape(memory.shape)
                start += width


def build_layers(config: LanguageModelConfig, tensors: dict[str, Float32]) -> list[Layer]:
    """Return the layers with their weights prepared.

    The part of a weight that reads the embedding is not in here: it is a row per id, see
    `embedding.IdInputs`.
    """
    layers: list[Layer] = []
    kind = LAYERS[config.cell]
    scale = np.float32(1.0 / kind.output_scale)
    for index in range(config.num_layers):
        name = f"layers.{index}"
        weight_hh = kind.prepare(tensors[f"{name}.weight_hh"]) * scale
        below = None
        if index > 0:
            read = tensors[f"{name}.weight_ih"][:, : config.hidden_size]
            below = kind.prepare(read) * scale
        extra = (tensors.get(f"{name}.bias_hn"),) if config.cell == "gru" else ()
        layers.append(kind(below, weight_hh, *extra))
    return layers
