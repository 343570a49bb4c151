"""A loss over a few drawn tokens in place of the whole vocabulary.

The target competes with tokens drawn from a proposal, the same for all places of a window; each
logit is lowered by the logarithm of how often its token is expected among them, which makes the
gradient, in the mean, that of the whole softmax as the sample grows.

Source:
    Bengio and Senécal (2008) for importance sampling with a proposal; Jean et al. (2015),
    arXiv:1412.2007, section 3, for a sample shared by many places.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


class Proposal:
    """The distribution that tokens are drawn from, on the device of the model.

    Args:
        log_probs: (V,) log p of each token; none is impossible.
        count: tokens that are drawn for a window.
    """

    def __init__(self, log_probs: Tensor, count: int) -> None:
        self.log_probs = log_probs.float()
        self.count = count
        self._borders = log_probs.double().exp().cumsum(0).float()

    def draw(self, generator: torch.Generator) -> Tensor:
        """Return the ids of `count` tokens, drawn with replacement; waits for nothing."""
        places = torch.empty(self.count, device=self._borders.device)
        places.uniform_(generator=generator).mul_(self._borders[-1])
        return torch.searchsorted(self._borders, places).clamp_(max=len(self._borders) - 1)

    def log_expected(self, ids: Tensor) -> Tensor:
        """Return the logarithm of how often each of `ids` is expected in a draw."""
        return self.log_probs[ids] + math.log(self.count)


def sampled_cross_entropy(
    features: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    proposal: Proposal,
    drawn: Tensor,
) -> Tensor:
    """Return the mean nats of targets among the tokens that were drawn.

    Shapes:
        features: (N, D); weight: (V, D); bias: (V,); targets: (N,) and drawn: (S,) int64.
        returns: scalar, as `bias`.
    """
    narrow, kind = features.dtype, bias.dtype
    own = (features * weight[targets].to(narrow)).sum(dim=1, dtype=kind) + bias[targets]
    own = own - proposal.log_expected(targets)
    others = F.linear(features, weight[drawn].to(narrow)).to(kind) + bias[drawn]
    others = others - proposal.log_expected(drawn)
    others = others.masked_fill(targets.unsqueeze(1) == drawn, float("-inf"))
    logits = torch.cat([own.unsqueeze(1), others], dim=1)
    return (logits.logsumexp(dim=1) - own).mean()
