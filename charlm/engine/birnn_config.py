"""The form of a deep bidirectional RNN, and the tensors that it has."""

from __future__ import annotations

import dataclasses
import math

from charlm.base.config import check, setting
from charlm.engine.config import GATES

DIRECTIONS = ("forwards", "backwards")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class BiRNNConfig:
    """Layers over whole sequences, each in both directions, or forward only.

    Layer 0 reads `input_size` features; layer i reads both directions of layer i-1, the forward
    one first. The backward direction of a row begins at the row's own last step.
    """

    input_size: int = setting(128, "features of a step's input", ge=1, le=65_536)
    cell: str = setting("lstm", "recurrent cell", choices=("lstm", "gru", "rnn"))
    reset: str = setting(
        "after",
        "GRU: reset gate after the recurrent product (cuDNN, PyTorch) or before it (Cho 2014)",
        choices=("after", "before"),
    )
    hidden_size: int = setting(128, "units of a layer and direction", ge=1, le=16_384)
    num_layers: int = setting(1, "recurrent layers", ge=1, le=16)
    bidirectional: bool = setting(True, "read in both directions")

    def __post_init__(self) -> None:
        check(self)

    @property
    def directions(self) -> tuple[str, ...]:
        """The names of the directions, in the order of their outputs."""
        return DIRECTIONS[: 2 if self.bidirectional else 1]

    @property
    def output_size(self) -> int:
        """Features of a step's output: the directions side by side."""
        return self.hidden_size * len(self.directions)

    def layer_input_size(self, layer: int) -> int:
        """Return how many features layer `layer` reads."""
        return self.output_size if layer else self.input_size

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every tensor, in order.

        Gates lie along the first axis as in `LanguageModelConfig.tensor_shapes`.
        """
        hidden, width = self.hidden_size, GATES[self.cell] * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.num_layers):
            for direction in self.directions:
                name = f"layers.{layer}.{direction}"
                shapes[f"{name}.weight_ih"] = (width, self.layer_input_size(layer))
                shapes[f"{name}.weight_hh"] = (width, hidden)
                shapes[f"{name}.bias"] = (width,)
                if self.cell == "gru" and self.reset == "after":
                    shapes[f"{name}.bias_hn"] = (hidden,)
        return shapes

    def count_parameters(self) -> int:
        """Return how many numbers those tensors hold."""
        return sum(math.prod(shape) for shape in self.tensor_shapes().values())
