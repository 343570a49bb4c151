"""Words as vectors, as a torch module; what `engine.word_input` does, with gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.engine.word_input import UNKNOWN, WordInputConfig


class _Table(nn.Module):
    def __init__(self, rows: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, size))


class WordInput(nn.Module):
    """A word's own vector beside the mean of its parts'; tables as `config.tensor_shapes()`.

    A batch names its distinct words once (`types`), and by `index` which of them stands where, so
    that parts are summed once a word and not once a place.
    """

    def __init__(self, config: WordInputConfig) -> None:
        super().__init__()
        self.config = config
        self.words = _Table(config.vocab_size, config.word_dim)
        self.subwords = _Table(config.buckets, config.subword_dim)

    def initialise(self, generator: torch.Generator, spread: float = 0.3) -> None:
        """Set the tables from a generator; the parts' as much larger as their mean is smaller."""
        nn.init.normal_(self.words.weight, 0.0, spread, generator=generator)
        nn.init.normal_(self.subwords.weight, 0.0, 3 * spread, generator=generator)

    def forward(
        self, types: Tensor, parts: tuple[Tensor, Tensor], index: Tensor, unknown: Tensor
    ) -> Tensor:
        """Return the vectors of words, (*index, size).

        Args:
            types: (R,), the rows of the distinct words.
            parts: their buckets one after another, and where each word's begin (R,).
            index: any shape, which of the R words stands where.
            unknown: as `index`, true where a word is to be read as one that was never seen, by
                its parts alone: what word dropout draws.
        """
        of_parts = F.embedding_bag(parts[0], self.subwords.weight, parts[1], mode="mean")
        rows = types[index].masked_fill(unknown, UNKNOWN)
        return torch.cat(
            [F.embedding(rows, self.words.weight), F.embedding(index, of_parts)], dim=-1
        )


def unknown_chances(counts: Tensor, strength: float) -> Tensor:
    """Return how often each word should be read as unknown in training: a / (a + its count).

    Rare words, which are like those to come, most often.

    Source:
        Kiperwasser and Goldberg (2016), arXiv:1603.04351.

    Example:
        >>> unknown_chances(torch.tensor([1.0, 3.0]), 0.25)
        tensor([0.2000, 0.0769])
    """
    return strength / (strength + counts) if strength else torch.zeros_like(counts)


def flat_parts(parts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return buckets by word as `WordInput.forward` takes them.

    Example:
        >>> flat_parts([[3, 4], [5]])
        (tensor([3, 4, 5]), tensor([0, 2]))
    """
    lengths = torch.tensor([0, *map(len, parts)])
    flat = [bucket for word in parts for bucket in word]
    return torch.tensor(flat, dtype=torch.int64), lengths.cumsum(0)[:-1]
