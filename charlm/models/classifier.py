"""The recurrent branch of a text classifier as a torch module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from charlm.engine.birnn_config import BiRNNConfig
from charlm.engine.pooling_config import pooled_size, pooling_shapes
from charlm.engine.word_input import WordInputConfig
from charlm.models.birnn import BiRNN
from charlm.models.layers import locked_dropout
from charlm.models.word_input import WordInput


class RecurrentBranch(nn.Module):
    """Words to logits: their vectors, a deep BiRNN over them, pooled, a weight for each label.

    Example:
        >>> rnn = BiRNNConfig(input_size=5, hidden_size=2)
        >>> net = RecurrentBranch(WordInputConfig(word_dim=3, subword_dim=2), rnn, "last", 2)
        >>> sorted(name for name, _ in net.named_parameters())[-2:]
        ['output.bias', 'output.weight']
    """

    def __init__(self, words: WordInputConfig, rnn: BiRNNConfig, pooling: str, labels: int) -> None:
        super().__init__()
        self.pooling = pooling
        self.input = WordInput(words)
        self.birnn = BiRNN(rnn)
        self.pool = nn.ParameterDict(
            {
                name.replace(".", "_"): nn.Parameter(torch.empty(shape))
                for name, shape in pooling_shapes(pooling, rnn.output_size).items()
            }
        )
        self.output = nn.Linear(pooled_size(pooling, rnn.output_size), labels)

    def initialise(self, generator: torch.Generator) -> None:
        """Set all weights from a generator; the output begins small."""
        self.input.initialise(generator)
        self.birnn.initialise(generator)
        for parameter in self.pool.values():
            nn.init.normal_(parameter, 0.0, 0.1, generator=generator)
        nn.init.normal_(self.output.weight, 0.0, 0.02, generator=generator)
        nn.init.zeros_(self.output.bias)

    def forward(
        self,
        types: Tensor,
        parts: tuple[Tensor, Tensor],
        index: Tensor,
        lengths: Tensor,
        unknown: Tensor,
        *,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return logits (B, labels).

        Args:
            types: as `parts` and `unknown` what `WordInput.forward` takes.
            parts: see `types`.
            index: (T, B), time first, which of the batch's words stands where.
            lengths: (B,), from 1.
            unknown: see `types`.
            dropout: share of the features left out of vectors, outputs and what is pooled.
            generator: of the dropout; without one nothing is left out.
        """
        hidden = self.input(types, parts, index, unknown)
        if generator is not None and self.training:
            hidden = locked_dropout(hidden, dropout, generator)
        hidden = self.birnn(hidden, lengths, dropout=dropout, generator=generator)
        features = self._pooled(hidden, lengths)
        if generator is not None and self.training and dropout:
            kept = torch.rand(features.shape, generator=generator) >= dropout
            features = features * kept / (1.0 - dropout)
        result: Tensor = self.output(features)
        return result

    def _pooled(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        steps = torch.arange(len(hidden)).unsqueeze(1)
        is_real = (steps < lengths).unsqueeze(2)
        if self.pooling == "last":
            half = hidden.shape[2] // 2
            rows = torch.arange(hidden.shape[1])
            return torch.cat([hidden[lengths - 1, rows, :half], hidden[0, :, half:]], dim=1)
        if self.pooling == "attention":
            weight, bias, choice = (
                self.pool[f"attention_{name}"] for name in ("weight", "bias", "choice")
            )
            scores = torch.tanh(hidden @ weight.T + bias) @ choice
            weights = scores.masked_fill(~is_real[..., 0], -torch.inf).softmax(dim=0)
            weighed: Tensor = (hidden * weights.unsqueeze(2)).sum(dim=0)
            return weighed
        parts = []
        if "max" in self.pooling:
            parts.append(hidden.masked_fill(~is_real, -torch.inf).amax(dim=0))
        if "mean" in self.pooling:  # what pads is zero
            parts.append(hidden.sum(dim=0) / lengths.unsqueeze(1))
        return torch.cat(parts, dim=1)

    def tensors(self) -> dict[str, Tensor]:
        """Return the parameters by the names that `ClassifierConfig.tensor_shapes` gives them."""
        return {
            name.replace("pool.attention_", "attention."): parameter.detach()
            for name, parameter in self.named_parameters()
        }
