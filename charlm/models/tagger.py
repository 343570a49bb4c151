"""The tagger as a torch module: what training runs; `tagging.tagger` answers."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.models.birnn import BiRNN
from charlm.models.crf import CRF
from charlm.models.layers import Backend, locked_dropout
from charlm.models.word_input import WordInput
from charlm.tagging.config import TaggerConfig


@dataclasses.dataclass(frozen=True, slots=True)
class TagBatch:
    """Sentences for one update.

    Shapes:
        types: (R,), the rows of the distinct words; parts: see `WordInput.forward`; chances: (R,),
        how often each is read as unknown; index: (T, B), which word stands where; tags: (T, B);
        lengths: (B,).
    """

    types: Tensor
    parts: tuple[Tensor, Tensor]
    chances: Tensor
    index: Tensor
    tags: Tensor
    lengths: Tensor


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TagDropouts:
    """What is left out in training: of the words' vectors, of each layer's outputs."""

    input: float = 0.0
    layer: float = 0.0


class Tagger(nn.Module):
    """Words to the weights of their tags; parameters as `TaggerConfig.tensor_shapes()`."""

    def __init__(
        self,
        config: TaggerConfig,
        dropouts: TagDropouts | None = None,
        *,
        backend: Backend = "rows",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.config = config
        self.dropouts = dropouts or TagDropouts()
        self.input = WordInput(config.input)
        self.birnn = BiRNN(config.rnn, backend=backend)
        self.birnn.dtype = dtype
        self.output = nn.Linear(config.rnn.output_size, len(config.tags))
        self.crf = CRF(len(config.tags)) if config.crf else None

    def initialise(self, generator: torch.Generator) -> None:
        """Set all weights from a generator; the output starts near the uniform distribution."""
        self.input.initialise(generator)
        self.birnn.initialise(generator)
        nn.init.normal_(self.output.weight, 0.0, 0.05, generator=generator)
        nn.init.zeros_(self.output.bias)

    def scores(self, batch: TagBatch, generator: torch.Generator | None = None) -> Tensor:
        """Return each tag's weight by word, (T, B, tags); in training, dropouts draw."""
        draws = self.training and generator is not None
        unknown = torch.zeros_like(batch.index, dtype=torch.bool)
        if draws:
            drawn = torch.rand(batch.index.shape, generator=generator)
            unknown = drawn < batch.chances[batch.index]
        hidden = self.input(batch.types, batch.parts, batch.index, unknown)
        if draws and generator is not None:
            hidden = locked_dropout(hidden, self.dropouts.input, generator)
        hidden = self.birnn(hidden, batch.lengths, dropout=self.dropouts.layer, generator=generator)
        scores: Tensor = self.output(hidden.to(self.output.weight.dtype))
        return scores

    def loss(
        self,
        batch: TagBatch,
        generator: torch.Generator | None = None,
        *,
        label_smoothing: float = 0.0,
    ) -> Tensor:
        """Return the mean nats a word."""
        scores = self.scores(batch, generator)
        if self.crf is not None:
            nll: Tensor = self.crf(scores, batch.tags, batch.lengths)
            return nll.sum() / batch.lengths.sum()
        is_real = torch.arange(len(scores)).unsqueeze(1) < batch.lengths
        return F.cross_entropy(
            scores[is_real], batch.tags[is_real], label_smoothing=label_smoothing
        )
