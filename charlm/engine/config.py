"""The shape of a recurrent language model: all that is needed to name and size its tensors."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting

GATES = {"lstm": 4, "gru": 3, "rnn": 1}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LanguageModelConfig:
    """Sizes and form of a causal recurrent language model.

    The network reads ids of `vocab_size + 1` input rows: the last row, `bos_id`, stands for the
    beginning of a text. It never predicts that row. Layer 0 reads the embedding; layer i reads
    the output of layer i-1, and with `skip` also the embedding. The output reads the last layer,
    or with `skip` all layers, concatenated from the first to the last (Graves 2013,
    arXiv:1308.0850). With `tie_weights` the output matrix is the embedding's first `vocab_size`
    rows (Press and Wolf 2017, arXiv:1608.05859), behind a projection where the sizes differ.
    """

    vocab_size: int = setting(256, "number of tokens", ge=1, le=10_000_000)
    cell: str = setting("lstm", "recurrent cell", choices=("lstm", "gru", "rnn"))
    reset: str = setting(
        "after",
        "GRU: reset gate after the recurrent product (cuDNN, PyTorch) or before it (Cho 2014)",
        choices=("after", "before"),
    )
    embedding_dim: int = setting(128, "size of a token's embedding", ge=1, le=65_536)
    hidden_size: int = setting(512, "units of a layer", ge=1, le=65_536)
    num_layers: int = setting(1, "recurrent layers", ge=1, le=64)
    skip: bool = setting(False, "skip connections between layers")
    tie_weights: bool = setting(False, "share the embedding with the output matrix")

    def __post_init__(self) -> None:
        check(self)

    @property
    def bos_id(self) -> int:
        """The input row that stands for the beginning of a text."""
        return self.vocab_size

    @property
    def output_size(self) -> int:
        """Features that the output layer (or the projection before it) reads."""
        return self.hidden_size * (self.num_layers if self.skip else 1)

    @property
    def has_projection(self) -> bool:
        """Whether a linear map stands between the layers and a tied output matrix."""
        return self.tie_weights and self.output_size != self.embedding_dim

    def input_size(self, layer: int) -> int:
        """Return how many features layer `layer` reads."""
        if layer == 0:
            return self.embedding_dim
        return self.hidden_size + (self.embedding_dim if self.skip else 0)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every tensor of such a model, in order.

        Gates lie along the first axis in PyTorch's order: i, f, g, o for the LSTM; r, z, n for
        the GRU. A GRU with `reset="after"` has one more bias, inside the reset gate's reach.
        """
        hidden, gates = self.hidden_size, GATES[self.cell]
        shapes: dict[str, tuple[int, ...]] = {
            "embedding.weight": (self.vocab_size + 1, self.embedding_dim)
        }
        for layer in range(self.num_layers):
            name = f"layers.{layer}"
            shapes[f"{name}.weight_ih"] = (gates * hidden, self.input_size(layer))
            shapes[f"{name}.weight_hh"] = (gates * hidden, hidden)
            shapes[f"{name}.bias"] = (gates * hidden,)
            if self.cell == "gru" and self.reset == "after":
                shapes[f"{name}.bias_hn"] = (hidden,)
        if self.has_projection:
            shapes["projection.weight"] = (self.embedding_dim, self.output_size)
        if not self.tie_weights:
            shapes["output.weight"] = (self.vocab_size, self.output_size)
        shapes["output.bias"] = (self.vocab_size,)
        return shapes

    def count_parameters(self) -> int:
        """Return how many numbers those tensors hold."""
        total = 0
        for shape in self.tensor_shapes().values():
            size = 1
            for length in shape:
                size *= length
            total += size
        return total


def describe(config: LanguageModelConfig) -> str:
    """Return a config in a few words for tables and progress lines.

    Example:
        >>> describe(LanguageModelConfig(vocab_size=65, hidden_size=256))
        '1 x 256 LSTM'
    """
    return f"{config.num_layers} x {config.hidden_size} {config.cell.upper()}"
