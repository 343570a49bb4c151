"""The output layer and its loss in parts that fit a GPU's memory, whatever the vocabulary.

The gradient is made with the loss: logits of a part of the rows are turned into it at once, so
that no more than one part's are ever there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

PART_BYTES = 1 << 29
# So many products of a gradient, at most 1, and a feature, about 1, are still a float16 number.
MOST_ROWS = 16_384


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        rows: int,
        differentiates: bool,
    ) -> Any:
        narrow = weight.to(features.dtype)
        losses, parts = [], []
        of_weight, of_bias = None, None
        for start in range(0, len(targets), rows):
            inputs, wanted = features[start : start + rows], targets[start : start + rows, None]
            logits = (inputs @ narrow.t()).to(bias.dtype).add_(bias)
            norm = logits.logsumexp(dim=1, keepdim=True)
            losses.append((norm - logits.gather(1, wanted)).sum())
            if differentiates:
                found = _gradients(logits.sub_(norm).exp_(), inputs, narrow, wanted)
                parts.append(found[0])
                of_weight = _sum(of_weight, found[1].to(weight.dtype))
                of_bias = _sum(of_bias, found[2])
        if differentiates:
            ctx.save_for_backward(_joined(parts), of_weight, of_bias)
        ctx.count = len(targets)
        return (losses[0] if len(losses) == 1 else torch.stack(losses).sum()) / len(targets)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        scale = grad / ctx.count
        found = [part * scale.to(part.dtype) for part in ctx.saved_tensors]
        return *found, None, None, None


def _gradients(
    probs: Tensor, inputs: Tensor, weight: Tensor, wanted: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of one part's summed loss, from its probabilities, which are spent."""
    probs.scatter_(1, wanted, probs.gather(1, wanted) - 1.0)
    narrow = probs.to(inputs.dtype)
    return narrow @ weight, narrow.t() @ inputs, probs.sum(dim=0)


def _sum(so_far: Tensor | None, part: Tensor) -> Tensor:
    return part if so_far is None else so_far.add_(part)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def chunked_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, rows: int | None = None
) -> Tensor:
    """Return the mean negative log-likelihood, in nats, of targets under a linear softmax layer.

    Shapes:
        features: (N, D), of the type of the products; weight: (V, D) and bias: (V,), of their own.
        targets: (N,) int64. returns: scalar, as `bias`.

    Args:
        rows: how many are done at a time; None takes as many as fit in half a gigabyte.
    """
    if rows is None:
        rows = max(64, min(MOST_ROWS, PART_BYTES // (bias.element_size() * len(bias))))
    differentiates = torch.is_grad_enabled()
    loss: Tensor = _ChunkedLoss.apply(  # type: ignore[no-untyped-call]
        features, weight, bias, targets, rows, differentiates
    )
    return loss
