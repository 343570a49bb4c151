"""One step of a recurrent network for many rows on a device, made of few and large operations.

It computes what `engine.language_model` does, in the same form: what an id gives to a layer's gates
is one row of a table, and the hidden states of all layers lie side by side, so that a layer and the
one below are one matrix product. Nothing is allocated from the host and nothing waits for it, so
that whole steps can be captured in a CUDA graph.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.engine.config import LanguageModelConfig
from charlm.models import decode_kernels
from charlm.models.language_model import LanguageModel
from charlm.models.layers import State

# Above this a table of what each id gives would cost more memory than it saves time.
TABLE_BYTES = 1 << 28
PRECISIONS = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


@contextlib.contextmanager
def products(precision: str) -> Iterator[None]:
    """Have products of float32 be exact in the body, or with "tf32" rounded to ten bits first.

    cuDNN rounds by default, which is too far from what the CPU computes.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


@dataclasses.dataclass(frozen=True, slots=True)
class StepState:
    """What rows carry from step to step.

    Shapes:
        hidden: (B, layers · H), in the type of the products; cell: the same in float32, of an
        LSTM, else (B, 0).
    """

    hidden: Tensor
    cell: Tensor

    def copy_(self, other: StepState) -> None:
        """Take over the numbers of a state of as many rows."""
        self.hidden.copy_(other.hidden)
        self.cell.copy_(other.cell)

    def select(self, rows: Tensor) -> StepState:
        """Return a new state whose row i is a copy of row `rows[i]`."""
        return StepState(self.hidden[rows], self.cell[rows])


@dataclasses.dataclass(frozen=True, slots=True)
class LayerWeights:
    """What one layer multiplies with.

    Attributes:
        table: (ids, gates), what each id gives, bias included; None where that is too large.
        weight_id: (gates, embedding), where there is no table but ids count.
        weight: (gates, H), or of the layer below and itself (gates, 2H), side by side.
        below: (gates, H) of the layer below, where the cell keeps the two apart.
    """

    table: Tensor | None
    weight_id: Tensor | None
    weight: Tensor
    below: Tensor | None
    bias: Tensor
    bias_hn: Tensor | None


class StepNetwork:
    """A model's weights as a step reads them.

    Args:
        model: on the device, in float32.
        precision: of the products, see `PRECISIONS`; sums and cells are float32 always.
    """

    def __init__(self, model: LanguageModel, precision: str) -> None:
        self.config: LanguageModelConfig = model.config
        self.precision = precision
        self.dtype = PRECISIONS[precision]
        self.embedding = model.embedding.weight.detach()
        tensors = {name: tensor.detach() for name, tensor in model.named_parameters()}
        with products("float32"):
            self.layers = [self._layer(tensors, i) for i in range(self.config.num_layers)]
        tied = self.embedding[: self.config.vocab_size]
        output = tied if self.config.tie_weights else tensors["output.weight"]
        self.output = output.to(self.dtype).contiguous()
        self.output_bias = tensors["output.bias"]
        self.projection: Tensor | None = None
        if self.config.has_projection:
            self.projection = tensors["projection.weight"].to(self.dtype)

    def _layer(self, tensors: dict[str, Tensor], index: int) -> LayerWeights:
        config, size = self.config, self.config.hidden_size
        parts = ("weight_ih", "weight_hh", "bias", "bias_hn")
        read, own, bias, bias_hn = (tensors.get(f"layers.{index}.{name}") for name in parts)
        assert read is not None
        assert own is not None
        assert bias is not None
        by_id = None
        if index == 0 or config.skip:
            by_id = read if index == 0 else read[:, size:]
        table = None
        if by_id is not None and 4 * len(self.embedding) * len(by_id) <= TABLE_BYTES:
            table, by_id = F.linear(self.embedding, by_id, bias).contiguous(), None
        below = read[:, :size].to(self.dtype) if index else None
        weight = own.to(self.dtype)
        if below is not None and config.cell != "gru":
            weight, below = torch.cat([below, weight], dim=1), None
        return LayerWeights(
            table=table,
            weight_id=by_id,
            weight=weight.contiguous(),
            below=None if below is None else below.contiguous(),
            bias=bias,
            bias_hn=bias_hn,
        )

    def zero_state(self, rows: int) -> StepState:
        """Return the state before anything was read."""
        width = self.config.num_layers * self.config.hidden_size
        device = self.output_bias.device
        return StepState(
            torch.zeros(rows, width, dtype=self.dtype, device=device),
            torch.zeros(rows, width if self.config.cell == "lstm" else 0, device=device),
        )

    def from_layers(self, layers: list[State]) -> StepState:
        """Return the state that the torch model carries layer by layer."""
        hidden = torch.cat([layer[0] for layer in layers], dim=1).to(self.dtype)
        if self.config.cell == "lstm":
            return StepState(hidden, torch.cat([layer[1] for layer in layers], dim=1))
        return StepState(hidden, hidden.new_zeros(len(hidden), 0, dtype=torch.float32))

    def to_layers(self, state: StepState) -> list[State]:
        """Return a state as the torch model carries it."""
        size = self.config.hidden_size
        wholes = [part.float().split(size, dim=1) for part in (state.hidden, state.cell)]
        parts = [[part.contiguous() for part in whole] for whole in wholes]  # for cuDNN
        if self.config.cell == "lstm":
            return list(zip(*parts, strict=True))
        return [(part,) for part in parts[0]]

    def step(self, ids: Tensor, state: StepState) -> Tensor:
        """Read one id a row, (B,), and return logits (B, V) in float32; `state` is moved on."""
        size = self.config.hidden_size
        for index, layer in enumerate(self.layers):
            own = state.hidden[:, index * size : (index + 1) * size]
            under = state.hidden[:, max(0, index - 1) * size : index * size]
            cell = state.cell[:, index * size : (index + 1) * size]
            if self.config.cell == "lstm":
                self._lstm(layer, ids, own, cell, self._source(state, index))
            elif self.config.cell == "gru":
                self._gru(layer, ids, own, under)
            else:
                product = self._source(state, index) @ layer.weight.t()
                own.copy_(torch.tanh(product.float() + self._given(layer, ids)))
        return self._logits(state.hidden if self.config.skip else state.hidden[:, -size:])

    def takes_few(self, rows: int) -> bool:
        """Return whether `step_few` does steps of so many rows."""
        if self.config.cell != "lstm" or rows > decode_kernels.FEW_ROWS:
            return False
        if self.config.hidden_size > decode_kernels.MOST_UNITS:
            return False
        tables = all(layer.weight_id is None for layer in self.layers)
        return tables and decode_kernels.is_there(self.output_bias.device)

    def step_few(self, ids: Tensor, old: StepState, new: StepState, logits: Tensor) -> None:
        """Read one id a row as `step` does, a kernel a layer: from one state to another.

        Args:
            ids: (B,), few.
            old: the state before; its cell is of no account.
            new: the hidden state is written, the cell changed in place.
            logits: (B, V), written.
        """
        size = self.config.hidden_size
        for index, layer in enumerate(self.layers):
            part = slice(index * size, (index + 1) * size)
            below = new.hidden[:, (index - 1) * size : index * size] if index else None
            given = layer.bias[None] if layer.table is None else layer.table
            decode_kernels.lstm_few(
                layer.weight,
                given,
                ids,
                below,
                old.hidden[:, part],
                new.hidden[:, part],
                new.cell[:, part],
            )
        features = new.hidden if self.config.skip else new.hidden[:, -size:]
        if self.projection is not None:
            projected = features.new_empty(len(features), len(self.projection))
            decode_kernels.linear_few(features, self.projection, None, projected)
            features = projected
        decode_kernels.linear_few(features, self.output, self.output_bias, logits)

    def _source(self, state: StepState, index: int) -> Tensor:
        """Return what a layer's one product reads: the layer below and itself."""
        size = self.config.hidden_size
        return state.hidden[:, max(0, index - 1) * size : (index + 1) * size]

    def _given(self, layer: LayerWeights, ids: Tensor) -> Tensor:
        """Return what the gates get besides the states: by id, or the bias for all."""
        if layer.table is not None:
            return layer.table[ids]
        if layer.weight_id is not None:
            return F.linear(self.embedding[ids], layer.weight_id, layer.bias)
        return layer.bias

    def _lstm(
        self, layer: LayerWeights, ids: Tensor, own: Tensor, cell: Tensor, source: Tensor
    ) -> None:
        product = source @ layer.weight.t()
        if layer.weight_id is None and decode_kernels.is_there(product.device):
            given = layer.bias[None] if layer.table is None else layer.table
            decode_kernels.lstm_cell(product, given, ids, own, cell)
            return
        gates = product.float() + self._given(layer, ids)
        i, f, g, o = gates.chunk(4, dim=1)
        cell.mul_(torch.sigmoid(f)).add_(torch.sigmoid(i) * torch.tanh(g))
        own.copy_(torch.sigmoid(o) * torch.tanh(cell))

    def _gru(self, layer: LayerWeights, ids: Tensor, own: Tensor, under: Tensor) -> None:
        two = 2 * self.config.hidden_size
        given = self._given(layer, ids)
        if layer.below is not None:
            given = given + (under @ layer.below.t()).float()
        before = layer.bias_hn is None
        product = (own @ (layer.weight[:two] if before else layer.weight).t()).float()
        reset, keep = torch.sigmoid(given[..., :two] + product[:, :two]).chunk(2, dim=1)
        if layer.bias_hn is None:
            fresh = ((reset * own).to(self.dtype) @ layer.weight[two:].t()).float()
        else:
            fresh = reset * (product[:, two:] + layer.bias_hn)
        fresh = torch.tanh(given[..., two:] + fresh)
        own.copy_(fresh + keep * (own - fresh))

    def _logits(self, features: Tensor) -> Tensor:
        if self.projection is not None:
            features = features @ self.projection.t()
        if self.dtype == torch.float32:
            return torch.addmm(self.output_bias, features, self.output.t())
        return (features @ self.output.t()).float() + self.output_bias
