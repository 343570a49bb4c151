"""The loss of a linear-chain conditional random field; `tagging.crf` finds the best sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CRF(nn.Module):
    """Weights of tags after each other, of first and of last tags; all begin at zero.

    Source:
        Lafferty et al. (2001), Conditional random fields.
    """

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.after = nn.Parameter(torch.zeros(tags, tags))
        self.first = nn.Parameter(torch.zeros(tags))
        self.last = nn.Parameter(torch.zeros(tags))

    def forward(self, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Return −log p of each row's tags, (B,), in nats; 0 for a row of length 0.

        Shapes:
            scores: (T, B, tags), each tag's own weight; tags: (T, B); lengths: (B,). What stands
            behind a row's length means nothing.
        """
        is_real = torch.arange(len(scores), device=scores.device)[:, None] < lengths
        nll = self._log_sum(scores, is_real) - self._weight(scores, tags, is_real, lengths)
        return nll * (lengths > 0)

    def _log_sum(self, scores: Tensor, is_real: Tensor) -> Tensor:
        """Return the log of the sum of exp(weight) over all sequences."""
        weight = self.first + scores[0]
        for step in range(1, len(scores)):
            paths = torch.logsumexp(weight.unsqueeze(2) + self.after, dim=1) + scores[step]
            weight = torch.where(is_real[step].unsqueeze(1), paths, weight)
        return torch.logsumexp(weight + self.last, dim=1)

    def _weight(self, scores: Tensor, tags: Tensor, is_real: Tensor, lengths: Tensor) -> Tensor:
        """Return the weight of the given tags."""
        own = scores.gather(2, tags.unsqueeze(2)).squeeze(2)
        moves = self.after[tags[:-1], tags[1:]]
        ends = tags.gather(0, (lengths - 1).clamp(min=0).unsqueeze(0)).squeeze(0)
        inside = (own * is_real).sum(dim=0) + (moves * is_real[1:]).sum(dim=0)
        return inside + self.first[tags[0]] + self.last[ends]
