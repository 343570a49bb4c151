"""A deep bidirectional RNN as a torch module, over sequences of unequal lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from charlm.engine.birnn_config import BiRNNConfig
from charlm.models.layers import Backend, RecurrentLayer, locked_dropout


class BiRNN(nn.Module):
    """Both directions of every layer over a batch; parameters as `BiRNNConfig.tensor_shapes()`.

    A row is read as if it were alone: the backward direction begins at its own last step, so what
    pads it is never seen, and its outputs there are zero.

    Example:
        >>> net = BiRNN(BiRNNConfig(input_size=3, hidden_size=2, num_layers=2))
        >>> net.initialise(torch.Generator().manual_seed(0))
        >>> net(torch.ones(5, 2, 3), torch.tensor([5, 4])).shape
        torch.Size([5, 2, 4])

    Source:
        Schuster and Paliwal (1997), Bidirectional recurrent neural networks; Graves and
        Schmidhuber (2005) for the LSTM; Irsoy and Cardie (2014) for deep ones.
    """

    def __init__(self, config: BiRNNConfig, *, backend: Backend = "rows") -> None:
        super().__init__()
        self.config = config
        self.backend = backend
        self.dtype = torch.float32
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    direction: RecurrentLayer(
                        config.cell,
                        config.layer_input_size(index),
                        config.hidden_size,
                        config.reset,
                    )
                    for direction in config.directions
                }
            )
            for index in range(config.num_layers)
        )

    def initialise(self, generator: torch.Generator, forget_bias: float = 1.0) -> None:
        """Set all weights from a generator; LSTMs begin with open forget gates."""
        for layer in self.layers:
            for direction in self.config.directions:
                layer[direction].initialise(generator, forget_bias)  # type: ignore[index]

    @torch.no_grad()
    def begin_with(self, given: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Set parameters as given by name, such as those of models of one direction.

        A matrix of fewer columns is of a model that reads less: of a layer's input its own part.
        That comes first, but for backward layers above the first, which read the forward
        direction's outputs before their own.

        Args:
            given: parameters, those of layers that are not here left out.
        """
        parameters = dict(self.named_parameters())
        for name, array in given.items():
            parameter = parameters.get(name)
            if parameter is None:
                continue
            width = array.shape[-1]
            last = name.endswith(".backwards.weight_ih") and not name.startswith("layers.0.")
            first = parameter.shape[-1] - width if last else 0
            parameter[..., first : first + width] = torch.from_numpy(array)

    def forward(
        self,
        inputs: Tensor,
        lengths: Tensor,
        *,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the last layer's outputs (T, B, output), the forward direction first.

        Args:
            inputs: (T, B, I), time first; rows are padded at their ends with anything finite.
            lengths: (B,), whole numbers from 0 to T, on the CPU or the inputs' device.
            dropout: share of each layer's outputs left out in training mode, one mask a row for
                all its steps (Gal and Ghahramani 2016); the last layer's too.
            generator: of the dropout; without one nothing is left out.
        """
        return self.all_layers(inputs, lengths, dropout=dropout, generator=generator)[-1]

    def all_layers(
        self,
        inputs: Tensor,
        lengths: Tensor,
        *,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> list[Tensor]:
        """Return what `forward` does, of every layer."""
        lengths = lengths.to(inputs.device)
        steps = torch.arange(len(inputs), device=inputs.device).unsqueeze(1)
        is_real = (steps < lengths).unsqueeze(2)
        rows = torch.arange(inputs.shape[1], device=inputs.device)
        last_first = torch.where(is_real[..., 0], lengths - 1 - steps, steps)
        mirror = (last_first * inputs.shape[1] + rows).reshape(-1)
        rate = dropout if self.training and generator is not None else 0.0
        hidden, outputs = inputs.to(self.dtype), []
        for layer in self.layers:
            parts = [
                self._run(layer[direction], hidden, mirror if direction == "backwards" else None)  # type: ignore[index]
                for direction in self.config.directions
            ]
            hidden = torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]
            hidden = hidden.masked_fill(~is_real, 0.0)
            if generator is not None:
                hidden = locked_dropout(hidden, rate, generator)
            outputs.append(hidden)
        return outputs

    def _run(self, layer: RecurrentLayer, inputs: Tensor, mirror: Tensor | None) -> Tensor:
        if mirror is not None:
            inputs = _mirrored(inputs, mirror)
        state = layer.zero_state(inputs.shape[1])
        outputs, _ = layer(inputs, state, layer.weight_hh.to(self.dtype), self.backend)
        result: Tensor = outputs if mirror is None else _mirrored(outputs, mirror)
        return result


class _Mirror(torch.autograd.Function):
    """`values (T, B, F), places (T * B,) -> values` with steps in another order, row by row.

    The order is its own inverse, so the gradient takes the same way: no sums over places.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        return values.reshape(-1, values.shape[2]).index_select(0, places).view(values.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return grad.reshape(-1, grad.shape[2]).index_select(0, places).view(grad.shape), None


def _mirrored(values: Tensor, places: Tensor) -> Tensor:
    result: Tensor = _Mirror.apply(values, places)  # type: ignore[no-untyped-call]
    return result
