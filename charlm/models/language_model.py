"""The recurrent language model as a torch module: what training and CUDA decoding run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from charlm.engine.config import LanguageModelConfig
from charlm.models.chunked_loss import chunked_cross_entropy
from charlm.models.cross_entropy import linear_cross_entropy
from charlm.models.layers import (
    LAID_OUT,
    Backend,
    RecurrentLayer,
    Share,
    State,
    dropout_mask,
    locked_dropout,
    locked_mask,
)
from charlm.models.lookup import SMALL, looked_up
from charlm.models.sampled_softmax import Proposal, sampled_cross_entropy
from charlm.models.stack import Layer, by_unit, run
from charlm.models.stack_steps import is_there

# The length of an embedding's vector of 64 standard normal numbers.
INPUT_STRENGTH = 8.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Dropouts:
    """The rates of every dropout, each a share of what is left out."""

    output: float = 0.0
    input: float = 0.0
    layer: float = 0.0
    embedding: float = 0.0
    weight: float = 0.0


class _Matrix(nn.Module):
    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(*shape))


class _Output(nn.Module):
    weight: nn.Parameter | None

    def __init__(self, vocab_size: int, features: int, tied: bool) -> None:
        super().__init__()
        if tied:
            self.register_parameter("weight", None)
        else:
            self.weight = nn.Parameter(torch.empty(vocab_size, features))
        self.bias = nn.Parameter(torch.empty(vocab_size))


class LanguageModel(nn.Module):
    """p(token | all before it) over a deep recurrent network; parameters as `tensor_shapes()`.

    Ids come as (B, T); row `config.bos_id` stands for the beginning of a text.
    """

    def __init__(self, config: LanguageModelConfig, dropouts: Dropouts | None = None) -> None:
        super().__init__()
        self.config = config
        self.dropouts = dropouts or Dropouts()
        self.dtype = torch.float32
        self.backend: Backend = "products"
        self.share: Share | None = None
        self.proposal: Proposal | None = None
        # rows of the embedding that training moves, see `models.given_rows`; None for all
        self.learns: Tensor | None = None
        self.held: RemovableHandle | None = None
        self.embedding = _Matrix(config.vocab_size + 1, config.embedding_dim)
        self.layers = nn.ModuleList(
            RecurrentLayer(config.cell, config.input_size(i), config.hidden_size, config.reset)
            for i in range(config.num_layers)
        )
        if config.has_projection:
            self.projection = _Matrix(config.embedding_dim, config.output_size)
        self.output = _Output(config.vocab_size, config.output_size, config.tie_weights)

    @property
    def spread(self) -> float:
        """The standard deviation of an embedding's numbers at the beginning."""
        return 1.0 if not self.config.tie_weights else 0.05

    def initialise(self, generator: torch.Generator, forget_bias: float = 0.0) -> None:
        """Set all weights from a generator; the output starts near the uniform distribution.

        An embedding that is the output matrix too has to start small, so the weights that read it
        start as much larger: what the first layer sees then is as strong as for one of its own.
        """
        spread = self.spread
        nn.init.normal_(self.embedding.weight, 0.0, spread, generator=generator)
        for index, layer in enumerate(self._layers()):
            layer.initialise(generator, forget_bias)
            if self.config.tie_weights and (index == 0 or self.config.skip):
                size = self.config.embedding_dim
                layer.weight_ih.data[:, -size:] *= INPUT_STRENGTH / (spread * size**0.5)
        if self.config.has_projection:
            nn.init.xavier_uniform_(self.projection.weight, generator=generator)
        if self.output.weight is not None:
            nn.init.normal_(self.output.weight, 0.0, 0.02, generator=generator)
        nn.init.zeros_(self.output.bias)

    @torch.no_grad()
    def expect(self, log_probs: Tensor) -> None:
        """Let the output begin at p(token) alone, (V,), rather than at the uniform distribution.

        From zero a bias takes hundreds of updates to reach the logarithm of a rare token's
        frequency. Meanwhile the network would say it with its state, which then drifts over
        thousands of tokens, and a text begun anew would be foreign to it.
        """
        self.output.bias.copy_(log_probs)

    def use(self, dtype: torch.dtype, *, backend: Backend) -> None:
        """Choose the type of matrix products, and how the layers run."""
        self.dtype, self.backend = dtype, backend
        for layer in self._layers():
            layer.forget_layouts()

    def sample_outputs(self, log_probs: Tensor, count: int) -> None:
        """In training, let targets compete with `count` tokens drawn by log p (V,), not with all.

        What the model tells of a text, and every loss outside of training, stays exact.
        """
        self.proposal = Proposal(log_probs.to(self.output.bias.device), count)

    def initial_state(self, rows: int) -> list[State]:
        """Return the state before anything was read, one entry a layer."""
        return [layer.zero_state(rows) for layer in self._layers()]

    def features(
        self, ids: Tensor, state: Sequence[State], generator: torch.Generator | None = None
    ) -> tuple[Tensor, list[State]]:
        """Return what the output layer reads, (T, B, D), and the state after the last id.

        In training mode the dropouts draw from `generator`.
        """
        rates = self.dropouts if self.training and generator is not None else Dropouts()
        draw = generator or torch.Generator()
        time_major = ids.t().contiguous()
        rows: Tensor = self.embedding.weight
        if rates.embedding:
            rows = rows * dropout_mask((len(rows), 1), rates.embedding, rows, draw)
        index: Tensor | None = None
        if self._looks_up(ids, rates):
            hidden, index = rows.to(self.dtype), time_major
        else:
            hidden = embedded = looked_up(time_major, rows, self.dtype)
            hidden = embedded = locked_dropout(embedded, rates.input, draw, self.share)
        if self._stacks():
            return self._stacked(hidden, index, state, rates, draw)
        outputs, states = [], []
        last = self.config.num_layers - 1
        for number, layer in enumerate(self._layers()):
            if number and self.config.skip:
                hidden = torch.cat([hidden, embedded], dim=-1)
            weight: Tensor = layer.weight_hh
            if rates.weight:
                weight = weight * dropout_mask(tuple(weight.shape), rates.weight, weight, draw)
            if self.backend not in LAID_OUT:  # these bring it to the type themselves
                weight = weight.to(self.dtype)
            hidden, after = layer(hidden, state[number], weight, self.backend, index)
            index = None
            rate = rates.output if number == last else rates.layer
            hidden = locked_dropout(hidden, rate, draw, self.share)
            outputs.append(hidden)
            states.append(after)
        features = torch.cat(outputs, dim=-1) if self.config.skip else hidden
        return self._projected(features), states

    def _stacked(
        self,
        inputs: Tensor,
        index: Tensor | None,
        state: Sequence[State],
        rates: Dropouts,
        draw: torch.Generator,
    ) -> tuple[Tensor, list[State]]:
        """Do what `features` does from the first layer on, all layers side by side."""
        size = self.config.hidden_size
        layers: list[Layer] = []
        masks: list[Tensor | None] = []
        for number, layer in enumerate(self._layers()):
            weight: Tensor = layer.weight_hh
            if rates.weight:
                weight = weight * dropout_mask(tuple(weight.shape), rates.weight, weight, draw)
            weights = (weight, layer.weight_ih, layer.bias)
            weight, weight_ih, bias = (by_unit(one, self.dtype) for one in weights)
            if not number:
                layers.append(Layer(weight))
                given = F.linear(inputs, weight_ih, bias)
            else:
                if self.config.skip:
                    bias = F.linear(inputs, weight_ih[:, size:], bias)
                layers.append(Layer(weight, weight_ih[:, :size], bias, masks[-1]))
            rate = rates.output if number == self.config.num_layers - 1 else rates.layer
            masks.append(locked_mask(state[number][0].shape, rate, inputs, draw, self.share))
        states, after = run(given, index, layers, state)
        if not self.config.skip:
            states, masks = states[-1:], masks[-1:]
        hidden = [
            part if mask is None else part * mask for part, mask in zip(states, masks, strict=True)
        ]
        return self._projected(torch.cat(hidden, dim=-1) if hidden[1:] else hidden[0]), after

    def _projected(self, features: Tensor) -> Tensor:
        if self.config.has_projection:
            features = F.linear(features, self.projection.weight.to(self.dtype))
        return features

    def _stacks(self) -> bool:
        """Whether all layers run side by side.

        They do in training alone: what is not recorded has its kernels asked for singly.
        """
        able = self.config.cell == "lstm" and self.share is None
        if self.backend != "stacked" or not (self.training and able):
            return False
        device = self.output.bias.device
        return device.type != "cuda" or is_there(device, self.dtype)

    def _looks_up(self, ids: Tensor, rates: Dropouts) -> bool:
        """Whether the first layer multiplies each row of the embedding once, not each token."""
        skips = self.config.skip and self.config.num_layers > 1
        pays = ids.numel() >= 2 * self.config.vocab_size
        has_way = self.backend == "rows" or (self._stacks() and self.config.vocab_size < SMALL)
        return has_way and pays and not rates.input and not skips

    def loss(
        self,
        ids: Tensor,
        targets: Tensor,
        state: Sequence[State],
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, list[State]]:
        """Return the mean nats per token over (B, T) targets, and the state after.

        With `sample_outputs`, in training mode and from a generator, those among drawn tokens.
        """
        features, states = self.features(ids, state, generator)
        flat = features.reshape(-1, features.shape[-1])
        weight, bias, wanted = self._output_weight(), self.output.bias, targets.t().reshape(-1)
        if self.proposal is not None and self.training and generator is not None:
            drawn = self.proposal.draw(generator)
            return sampled_cross_entropy(flat, weight, bias, wanted, self.proposal, drawn), states
        if bias.device.type == "cpu":
            return linear_cross_entropy(flat, weight.to(self.dtype), bias, wanted), states
        return chunked_cross_entropy(flat, weight, bias, wanted), states

    def forward(self, ids: Tensor, state: Sequence[State]) -> tuple[Tensor, list[State]]:
        """Return logits (B, T, V) of the token after each id, and the state after the last."""
        features, states = self.features(ids, state)
        logits = F.linear(features, self._output_weight().to(self.dtype)).to(self.output.bias.dtype)
        return (logits + self.output.bias).transpose(0, 1), states

    def _layers(self) -> list[RecurrentLayer]:
        return [layer for layer in self.layers if isinstance(layer, RecurrentLayer)]

    def _output_weight(self) -> Tensor:
        if self.output.weight is not None:
            return self.output.weight
        return self.embedding.weight[: self.config.vocab_size]
