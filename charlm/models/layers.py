"""One recurrent layer as a module, and the dropouts that suit recurrent networks."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.engine.config import GATES
from charlm.models import cudnn, lstm_rows, recurrence
from charlm.models.registers import has_bfloat16

State = tuple[Tensor, ...]
"""(h,) of a GRU or RNN layer, (h, c) of an LSTM layer, each (B, H)."""


Backend = Literal["rows", "products", "native", "cudnn", "padded", "stacked"]
"""How a layer runs: threads that each carry rows through time (`lstm_rows`), a library's product
a step (`recurrence`), or PyTorch's own layer. The first falls back on the second. On a GPU an LSTM
also runs with its weights laid out once (`cudnn`), in its own sizes or `padded`; or all layers
together (`stack`), where a layer by itself is one that is laid out."""
LAID_OUT: tuple[Backend, ...] = ("cudnn", "padded", "stacked")
ON_CPU: tuple[Backend, ...] = ("rows", "products", "native")
ON_GPU: tuple[Backend, ...] = ("cudnn", "padded", "stacked", "native")


def rows_can(cell: str, weight_hh: Tensor) -> bool:
    """Return whether `lstm_rows` runs a cell with such weights on this machine."""
    if cell != "lstm" or weight_hh.device.type != "cpu":
        return False
    if weight_hh.dtype == torch.bfloat16:
        return has_bfloat16() and weight_hh.shape[1] % 2 == 0
    return weight_hh.dtype in (torch.float32, torch.float64)


class RecurrentLayer(nn.Module):
    """One layer of LSTM, GRU or tanh RNN over whole sequences.

    Shapes:
        inputs: (T, B, I); state: (B, H) a part; returns (T, B, H) and the state after step T.
    """

    def __init__(self, cell: str, input_size: int, hidden_size: int, reset: str = "after") -> None:
        super().__init__()
        self.cell, self.reset, self.hidden_size = cell, reset, hidden_size
        self._blocks: dict[tuple[cudnn.Sizes, torch.dtype], cudnn.Block] = {}
        width = GATES[cell] * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(width, input_size))
        self.weight_hh = nn.Parameter(torch.empty(width, hidden_size))
        self.bias = nn.Parameter(torch.empty(width))
        if cell == "gru" and reset == "after":
            self.bias_hn = nn.Parameter(torch.empty(hidden_size))
        else:
            self.register_parameter("bias_hn", None)

    def initialise(self, generator: torch.Generator, forget_bias: float = 0.0) -> None:
        """Set weights and biases uniform in ±1/sqrt(H), as `torch.nn`; shift the forget gate's.

        Args:
            generator: of the draws.
            forget_bias: for an LSTM, added to the forget gate's biases; 1 keeps the cell open.

        Source:
            Jozefowicz et al. (2015) for the forget gate's bias of 1.
        """
        bound = self.hidden_size**-0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
        if self.cell == "lstm":
            self.bias.data[self.hidden_size : 2 * self.hidden_size] += forget_bias

    def zero_state(self, rows: int) -> State:
        """Return the state before anything was read."""
        parts = 2 if self.cell == "lstm" else 1
        return tuple(self.bias.new_zeros(rows, self.hidden_size) for _ in range(parts))

    def forward(
        self,
        inputs: Tensor,
        state: State,
        weight_hh: Tensor,
        backend: Backend,
        index: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Return all outputs and the last state; `inputs` and `weight_hh` share a type.

        With `index` (T, B) the inputs are rows (R, I) to look up, multiplied once each. A layer
        with its weights laid out takes `weight_hh` of any type.
        """
        if backend in LAID_OUT:
            return self._laid_out(inputs, state, weight_hh, pads=backend == "padded")
        by_rows = backend == "rows" and rows_can(self.cell, weight_hh)
        if index is not None and not by_rows:
            inputs, index = F.embedding(index, inputs), None
        if backend == "native":
            return self._native(inputs, state, weight_hh)
        dtype = inputs.dtype
        xp = F.linear(inputs, self.weight_ih.to(dtype), self.bias.to(dtype))
        if self.cell == "lstm":
            if by_rows:
                states, h, c = lstm_rows.lstm(xp, weight_hh, state[0], state[1], index)
            else:
                states, h, c = recurrence.lstm(xp, weight_hh, *state)
            return states, (h, c)
        if self.cell == "rnn":
            states, h = recurrence.rnn(xp, weight_hh, *state)
        else:
            bias = None if self.bias_hn is None else self.bias_hn.to(dtype)
            states, h = recurrence.gru(xp, weight_hh, bias, *state)
        return states, (h,)

    def forget_layouts(self) -> None:
        """Give back the memory of weights that were laid out."""
        self._blocks.clear()

    def _laid_out(
        self, inputs: Tensor, state: State, weight_hh: Tensor, *, pads: bool
    ) -> tuple[Tensor, State]:
        rows = inputs.shape[1]
        sizes = cudnn.Sizes(inputs.shape[2], self.hidden_size)
        if pads:
            sizes, rows = cudnn.padded(sizes) or sizes, cudnn.padded_rows(rows)
        block = self._blocks.get((sizes, inputs.dtype))
        if block is None:
            block = cudnn.Block(sizes, inputs.dtype, inputs.device)
            self._blocks[sizes, inputs.dtype] = block
        weights = (self.weight_ih, weight_hh, self.bias)
        outputs, h, c = cudnn.lstm(block, inputs, state, weights, rows=rows, training=self.training)
        return outputs, (h, c)

    def _native(self, inputs: Tensor, state: State, weight_hh: Tensor) -> tuple[Tensor, State]:
        """Run PyTorch's own layer: cuDNN on a GPU, oneDNN on some CPUs."""
        if self.cell == "gru" and self.reset == "before":
            return self._gru_before(inputs, state[0], weight_hh)
        dtype = inputs.dtype
        bias_hh = torch.zeros_like(self.bias)
        if self.bias_hn is not None:
            bias_hh = torch.cat([bias_hh[: 2 * self.hidden_size], self.bias_hn])
        weights = [self.weight_ih.to(dtype), weight_hh, self.bias.to(dtype), bias_hh.to(dtype)]
        first = [part.to(dtype).unsqueeze(0) for part in state]
        settings = (True, 1, 0.0, self.training, False, False)
        with warnings.catch_warnings():  # weights made a moment ago are not one block; fine
            warnings.filterwarnings("ignore", message="RNN module weights")
            if self.cell == "lstm":
                outputs, h, c = torch._VF.lstm(inputs, first, weights, *settings)
                return outputs, (h[0].to(state[0].dtype), c[0].to(state[1].dtype))
            run = torch._VF.gru if self.cell == "gru" else torch._VF.rnn_tanh
            outputs, h = run(inputs, first[0], weights, *settings)
        return outputs, (h[0].to(state[0].dtype),)

    def _gru_before(self, inputs: Tensor, h: Tensor, weight_hh: Tensor) -> tuple[Tensor, State]:
        dtype, size = inputs.dtype, self.hidden_size
        xp = F.linear(inputs, self.weight_ih.to(dtype), self.bias.to(dtype))
        outputs, state = [], h.to(dtype)
        for x in xp.unbind(0):
            gates = torch.sigmoid(x[:, : 2 * size] + F.linear(state, weight_hh[: 2 * size]))
            reset, keep = gates.chunk(2, dim=1)
            fresh = torch.tanh(x[:, 2 * size :] + F.linear(reset * state, weight_hh[2 * size :]))
            state = fresh + keep * (state - fresh)
            outputs.append(state)
        return torch.stack(outputs), (state.to(h.dtype),)


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """The rows of a larger batch that one of several processes carries."""

    rows: slice
    batch_size: int


def locked_dropout(
    inputs: Tensor, p: float, generator: torch.Generator, share: Share | None = None
) -> Tensor:
    """Drop features of (T, B, F) by one mask a row for all time steps, scaled to keep the mean.

    Args:
        share: where the rows are some of a batch, whose mask is drawn whole.

    Source:
        Gal and Ghahramani (2016), arXiv:1512.05287.
    """
    mask = locked_mask(inputs.shape[1:], p, inputs, generator, share)
    return inputs if mask is None else inputs * mask


def locked_mask(
    shape: Sequence[int],
    p: float,
    like: Tensor,
    generator: torch.Generator,
    share: Share | None = None,
) -> Tensor | None:
    """Return what `locked_dropout` multiplies by, (1, *shape); None where nothing is dropped.

    Args:
        shape: (B, F), of the rows that are carried here.
    """
    if p == 0.0:
        return None
    if share is None:
        return dropout_mask((1, *shape), p, like, generator)
    return dropout_mask((1, share.batch_size, *shape[1:]), p, like, generator)[:, share.rows]


def dropout_mask(
    shape: tuple[int, ...], p: float, like: Tensor, generator: torch.Generator
) -> Tensor:
    """Return a mask of zeros (with probability p) and 1 / (1 - p), of the type of `like`."""
    mask = torch.empty(shape, device=like.device).bernoulli_(1.0 - p, generator=generator)
    return mask.div_(1.0 - p).to(like.dtype)
